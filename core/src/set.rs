//! Sets of message numbers as ranges (RFC 9051 §9 `sequence-set`).
//!
//! A server may name four thousand million messages in nine octets. Nothing here counts them out:
//! time and memory go by the number of ranges.

use std::collections::VecDeque;
use std::fmt;

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// A set of UIDs (or sequence numbers), held as ranges.
///
/// The ranges are ascending, disjoint and never adjacent, so two equal sets have equal ranges.
/// 0 is no UID (RFC 9051 §2.3.1.1) and never a member: an operation that names it skips it.
/// A range whose first number is above its last is empty.
///
/// Inserting numbers in ascending or in descending order costs amortised constant time each;
/// elsewhere it costs a binary search and the shift of the ranges on the shorter side.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct UidSet {
    // A ring, so that both ends grow cheaply: servers answer newest first as well as oldest first.
    ranges: VecDeque<(u32, u32)>,
}

impl UidSet {
    /// The empty set.
    pub const fn new() -> UidSet {
        UidSet { ranges: VecDeque::new() }
    }

    /// The numbers from `lo` to `hi`, both included.
    pub fn from_range(lo: u32, hi: u32) -> UidSet {
        let mut set = UidSet::new();
        set.insert_range(lo, hi);
        set
    }

    /// Adds one number.
    pub fn insert(&mut self, uid: u32) {
        self.insert_range(uid, uid);
    }

    /// Adds the numbers from `lo` to `hi`, both included.
    pub fn insert_range(&mut self, lo: u32, hi: u32) {
        let lo = lo.max(1);
        if lo > hi {
            return;
        }
        match (self.ranges.back().copied(), self.ranges.front().copied()) {
            (Some((_, last)), _) if lo > last.saturating_add(1) => self.ranges.push_back((lo, hi)),
            (_, Some((first, _))) if hi < first - 1 => self.ranges.push_front((lo, hi)),
            (None, _) => self.ranges.push_back((lo, hi)),
            _ => self.merge_in(lo, hi),
        }
    }

    /// Adds a range that may touch ranges already held.
    fn merge_in(&mut self, lo: u32, hi: u32) {
        let start = self.ranges.partition_point(|&(_, end)| end < lo - 1);
        let stop = self.ranges.partition_point(|&(begin, _)| begin <= hi.saturating_add(1));
        if start == stop {
            self.ranges.insert(start, (lo, hi));
            return;
        }
        self.ranges[start] = (lo.min(self.ranges[start].0), hi.max(self.ranges[stop - 1].1));
        self.ranges.drain(start + 1..stop);
    }

    /// Takes one number out.
    pub fn remove(&mut self, uid: u32) {
        self.remove_range(uid, uid);
    }

    /// Takes the numbers from `lo` to `hi` out, both included.
    pub fn remove_range(&mut self, lo: u32, hi: u32) {
        let lo = lo.max(1);
        if lo > hi {
            return;
        }
        let start = self.ranges.partition_point(|&(_, end)| end < lo);
        let stop = self.ranges.partition_point(|&(begin, _)| begin <= hi);
        if start == stop {
            return;
        }
        let (begin, end) = (self.ranges[start].0, self.ranges[stop - 1].1);
        let below = (begin < lo).then(|| (begin, lo - 1));
        let above = (end > hi).then(|| (hi + 1, end));
        match (below, above) {
            (None, None) => drop(self.ranges.drain(start..stop)),
            (Some(kept), None) | (None, Some(kept)) => {
                self.ranges[start] = kept;
                self.ranges.drain(start + 1..stop);
            }
            (Some(below), Some(above)) => {
                self.ranges[start] = below;
                if stop - start > 1 {
                    self.ranges[start + 1] = above;
                    self.ranges.drain(start + 2..stop);
                } else {
                    self.ranges.insert(start + 1, above);
                }
            }
        }
    }

    /// Whether a number is a member.
    pub fn contains(&self, uid: u32) -> bool {
        let at = self.ranges.partition_point(|&(_, end)| end < uid);
        self.ranges.get(at).is_some_and(|&(begin, _)| begin <= uid)
    }

    /// How many numbers are members; linear in the ranges.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|&range| width(range)).sum()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The lowest member.
    pub fn min(&self) -> Option<u32> {
        self.ranges.front().map(|&(begin, _)| begin)
    }

    /// The highest member.
    pub fn max(&self) -> Option<u32> {
        self.ranges.back().map(|&(_, end)| end)
    }

    /// The ranges, ascending, both ends of each included.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (u32, u32)> + ExactSizeIterator + Clone + '_ {
        self.ranges.iter().copied()
    }

    /// The members, ascending; `rev()` gives the newest first.
    ///
    /// A set that a server sent may have thousands of millions: intersect it with what exists first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|&(begin, end)| begin..=end)
    }

    /// The members of either.
    #[must_use]
    pub fn union(&self, other: &UidSet) -> UidSet {
        let mut merged = UidSet::new();
        let (mut left, mut right) = (self.ranges().peekable(), other.ranges().peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.0 <= b.0 => left.next(),
                (Some(_), None) => left.next(),
                _ => right.next(),
            };
            let Some((lo, hi)) = next else { return merged };
            // Begins ascend, so this touches only the last range.
            match merged.ranges.back_mut() {
                Some((_, end)) if lo <= end.saturating_add(1) => *end = hi.max(*end),
                _ => merged.ranges.push_back((lo, hi)),
            }
        }
    }

    /// The members of both.
    #[must_use]
    pub fn intersection(&self, other: &UidSet) -> UidSet {
        let mut common = UidSet::new();
        let (mut left, mut right) = (self.ranges().peekable(), other.ranges().peekable());
        while let (Some(&a), Some(&b)) = (left.peek(), right.peek()) {
            let (lo, hi) = (a.0.max(b.0), a.1.min(b.1));
            if lo <= hi {
                common.ranges.push_back((lo, hi));
            }
            if a.1 <= b.1 {
                left.next();
            } else {
                right.next();
            }
        }
        common
    }

    /// The members of `self` that `other` has not.
    #[must_use]
    pub fn difference(&self, other: &UidSet) -> UidSet {
        let mut kept = UidSet::new();
        let mut holes = other.ranges().peekable();
        for (mut lo, hi) in self.ranges() {
            loop {
                match holes.peek() {
                    Some(hole) if hole.1 < lo => drop(holes.next()),
                    Some(hole) if hole.0 <= hi => {
                        if lo < hole.0 {
                            kept.ranges.push_back((lo, hole.0 - 1));
                        }
                        if hole.1 >= hi {
                            break;
                        }
                        lo = hole.1 + 1;
                    }
                    _ => {
                        kept.ranges.push_back((lo, hi));
                        break;
                    }
                }
            }
        }
        kept
    }

    /// Divides into the `n` highest members (all, if there are fewer) and the rest.
    #[must_use]
    pub fn split_newest(&self, n: u64) -> (UidSet, UidSet) {
        let (mut newest, mut rest) = (UidSet::new(), UidSet::new());
        let mut wanted = n;
        for (begin, end) in self.ranges().rev() {
            let taken = wanted.min(width((begin, end)));
            wanted -= taken;
            // `taken` is at most the width, so it fits what a range spans.
            let first_taken = u64::from(end) + 1 - taken;
            if taken > 0 {
                newest.ranges.push_front((first_taken as u32, end));
            }
            if first_taken > u64::from(begin) {
                rest.ranges.push_front((begin, (first_taken - 1) as u32));
            }
        }
        (newest, rest)
    }
}

fn width((begin, end): (u32, u32)) -> u64 {
    u64::from(end) - u64::from(begin) + 1
}

impl Extend<u32> for UidSet {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, uids: I) {
        for uid in uids {
            self.insert(uid);
        }
    }
}

impl FromIterator<u32> for UidSet {
    fn from_iter<I: IntoIterator<Item = u32>>(uids: I) -> UidSet {
        let mut set = UidSet::new();
        set.extend(uids);
        set
    }
}

/// As a command names it, e.g. `1:5,7`; nothing for the empty set, which no command may name.
impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, &(begin, end)) in self.ranges.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            write!(f, "{begin}")?;
            if begin != end {
                write!(f, ":{end}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UidSet({self})")
    }
}

/// As pairs: how far a range begins behind the last one's end, and how far its end is from there.
/// Small numbers, so most ranges take two or three octets.
impl Serialize for UidSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut before = 0;
        serializer.collect_seq(self.ranges.iter().map(|&(begin, end)| {
            let pair = (begin - before, end - begin);
            before = end;
            pair
        }))
    }
}

/// Refuses what no set writes: 0, touching ranges, numbers beyond 32 bits.
impl<'de> Deserialize<'de> for UidSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<UidSet, D::Error> {
        let mut ranges = VecDeque::<(u32, u32)>::deserialize(deserializer)?;
        let mut before: Option<u32> = None;
        for range in &mut ranges {
            let (gap, span) = *range;
            let least = if before.is_some() { 2 } else { 1 };
            let begin = before.unwrap_or(0).checked_add(gap).filter(|_| gap >= least);
            let end = begin.and_then(|begin| begin.checked_add(span));
            let (Some(begin), Some(end)) = (begin, end) else {
                return Err(D::Error::custom("not the ranges of a set"));
            };
            *range = (begin, end);
            before = Some(end);
        }
        Ok(UidSet { ranges })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::UidSet;

    const MAX: u32 = u32::MAX;

    type Ranges = &'static [(u32, u32)];

    fn set(ranges: &[(u32, u32)]) -> UidSet {
        let mut set = UidSet::new();
        for &(lo, hi) in ranges {
            set.insert_range(lo, hi);
        }
        set
    }

    #[test]
    fn inserting_keeps_ranges_apart() {
        let cases: &[(Ranges, &str)] = &[
            (&[], ""),
            (&[(0, 0)], ""),
            (&[(0, 3)], "1:3"),
            (&[(5, 4)], ""),
            (&[(1, 1), (2, 2), (3, 3)], "1:3"),
            (&[(3, 3), (2, 2), (1, 1)], "1:3"),
            (&[(1, 2), (4, 5), (3, 3)], "1:5"),
            (&[(1, 2), (6, 7), (4, 4)], "1:2,4,6:7"),
            (&[(1, 1), (3, 3), (5, 5), (2, 9)], "1:9"),
            (&[(1, 1), (3, 3), (5, 5), (9, 9), (3, 4)], "1,3:5,9"),
            (&[(MAX, MAX), (1, 1)], "1,4294967295"),
            (&[(MAX, MAX), (MAX - 1, MAX - 1)], "4294967294:4294967295"),
            (&[(1, MAX), (7, 7)], "1:4294967295"),
            (&[(MAX - 1, MAX - 1), (MAX, MAX)], "4294967294:4294967295"),
            (&[(MAX, MAX), (MAX, MAX)], "4294967295"),
        ];
        for (ranges, text) in cases {
            assert_eq!(set(ranges).to_string(), *text, "{ranges:?}");
        }
    }

    #[test]
    fn removing_splits_ranges() {
        let cases: &[(Ranges, (u32, u32), &str)] = &[
            (&[(1, 9)], (5, 5), "1:4,6:9"),
            (&[(1, 9)], (0, 3), "4:9"),
            (&[(1, 9)], (7, 20), "1:6"),
            (&[(1, 9)], (1, 9), ""),
            (&[(1, 9)], (9, 1), "1:9"),
            (&[(1, 3), (5, 7), (9, 11), (20, 30)], (2, 25), "1,26:30"),
            (&[(1, 3), (5, 7)], (3, 5), "1:2,6:7"),
            (&[(1, 3), (5, 7)], (4, 4), "1:3,5:7"),
            (&[(1, MAX)], (MAX, MAX), "1:4294967294"),
            (&[(1, MAX)], (0, MAX), ""),
        ];
        for (ranges, (lo, hi), text) in cases {
            let mut set = set(ranges);
            set.remove_range(*lo, *hi);
            assert_eq!(set.to_string(), *text, "{ranges:?} without {lo}:{hi}");
        }
    }

    #[test]
    fn note_51_the_widest_set_is_one_range() {
        let all = UidSet::from_range(1, MAX);
        let here = set(&[(3, 5), (90, 90)]);
        assert_eq!(all.len(), u64::from(MAX));
        assert_eq!(all.ranges().len(), 1);
        assert_eq!(all.intersection(&here), here);
        assert_eq!(all.difference(&here).to_string(), "1:2,6:89,91:4294967295");
        assert_eq!(all.union(&here), all);
        assert!(here.difference(&all).is_empty());
        assert_eq!(all.iter().rev().take(2).collect::<Vec<_>>(), [MAX, MAX - 1]);
        assert_eq!((all.min(), all.max()), (Some(1), Some(MAX)));
        assert_eq!(all.split_newest(u64::MAX), (all.clone(), UidSet::new()));
    }

    #[test]
    fn a_million_scattered_numbers_go_in_from_either_end() {
        let ascending: UidSet = (0..1_000_000).map(|n| n * 2 + 1).collect();
        let descending: UidSet = (0..1_000_000).rev().map(|n| n * 2 + 1).collect();
        assert_eq!(ascending.ranges().len(), 1_000_000);
        assert_eq!(ascending, descending);
    }

    #[test]
    fn stored_sets_are_checked() {
        let stored = |pairs: &[(u32, u32)]| postcard::to_allocvec(pairs).unwrap();
        let cases: &[(Ranges, Option<&str>)] = &[
            (&[], Some("")),
            (&[(1, 4), (2, 0)], Some("1:5,7")),
            (&[(0, 4)], None),
            (&[(1, 4), (1, 0)], None),
            (&[(1, 4), (0, 0)], None),
            (&[(1, MAX)], None),
            (&[(1, MAX - 1)], Some("1:4294967295")),
            (&[(1, MAX - 1), (2, 0)], None),
        ];
        for (pairs, expected) in cases {
            let read = postcard::from_bytes::<UidSet>(&stored(pairs)).ok().map(|set| set.to_string());
            assert_eq!(read.as_deref(), *expected, "{pairs:?}");
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u32, u32),
        Remove(u32, u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = (any::<bool>(), 0u32..80, 0u32..8).prop_map(|(insert, lo, span)| match insert {
            true => Step::Insert(lo, lo + span),
            false => Step::Remove(lo, lo + span),
        });
        proptest::collection::vec(step, 0..40)
    }

    fn run(steps: &[Step]) -> (UidSet, BTreeSet<u32>) {
        let (mut set, mut model) = (UidSet::new(), BTreeSet::new());
        for step in steps {
            match *step {
                Step::Insert(lo, hi) => {
                    set.insert_range(lo, hi);
                    model.extend(lo.max(1)..=hi);
                }
                Step::Remove(lo, hi) => {
                    set.remove_range(lo, hi);
                    model.retain(|uid| !(lo..=hi).contains(uid));
                }
            }
        }
        (set, model)
    }

    fn assert_same(set: &UidSet, model: &BTreeSet<u32>) {
        assert!(set.iter().eq(model.iter().copied()), "{set:?} is not {model:?}");
        assert!(set.iter().rev().eq(model.iter().rev().copied()));
        assert_eq!(set.len(), model.len() as u64);
        assert_eq!(set.is_empty(), model.is_empty());
        assert_eq!((set.min(), set.max()), (model.first().copied(), model.last().copied()));
        let ranges: Vec<_> = set.ranges().collect();
        assert!(ranges.iter().all(|&(lo, hi)| 1 <= lo && lo <= hi));
        assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{set:?}");
        for uid in 0..100 {
            assert_eq!(set.contains(uid), model.contains(&uid), "{uid} in {set:?}");
        }
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(steps in steps()) {
            let (set, model) = run(&steps);
            assert_same(&set, &model);
            let stored = postcard::to_allocvec(&set).unwrap();
            prop_assert_eq!(postcard::from_bytes::<UidSet>(&stored).unwrap(), set);
        }

        #[test]
        fn combines_like_sets(left in steps(), right in steps(), n in 0u64..60) {
            let ((a, a_model), (b, b_model)) = (run(&left), run(&right));
            assert_same(&a.union(&b), &(&a_model | &b_model));
            assert_same(&a.intersection(&b), &(&a_model & &b_model));
            assert_same(&a.difference(&b), &(&a_model - &b_model));
            let (newest, rest) = a.split_newest(n);
            assert_same(&newest, &a_model.iter().rev().take(n as usize).copied().collect());
            assert_same(&rest, &a_model.iter().rev().skip(n as usize).copied().collect());
        }

        #[test]
        fn stored_garbage_gives_a_set_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(set) = postcard::from_bytes::<UidSet>(&bytes) {
                let ranges: Vec<_> = set.ranges().collect();
                prop_assert!(ranges.iter().all(|&(lo, hi)| 1 <= lo && lo <= hi));
                prop_assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            }
        }
    }
}
