//! Dates of the Date field (RFC 5322 §3.3, §4.3), read liberally.

use super::words::unfold;

/// 9999-12-31T23:59:59.999Z
const LAST: i64 = 253_402_300_799_999;

/// Milliseconds since 1970, clamped to the years 1970 to 9999. `None` where there is no date to be read.
///
/// Order does not matter, a weekday is ignored, a missing zone is UTC: asctime's dates and others without
/// a zone are all over old archives.
pub(super) fn parse_date(value: &[u8]) -> Option<i64> {
    read(value)?.millis()
}

/// The day that the field names, in its own zone: year, month, day.
pub(super) fn parse_local_day(value: &[u8]) -> Option<(u16, u8, u8)> {
    let date = read(value)?;
    date.millis()?;
    Some((u16::try_from(date.year?).ok()?, u8::try_from(date.month?).ok()?, u8::try_from(date.day?).ok()?))
}

fn read(value: &[u8]) -> Option<Date> {
    let text = unfold(&value[..value.len().min(200)]);
    let text = text.split('(').next().unwrap_or_default();
    let mut date = Date::default();
    for token in text.split([' ', '\t', ',']).filter(|token| !token.is_empty()) {
        date.token(token)?;
    }
    Some(date)
}

#[derive(Default)]
struct Date {
    day: Option<i64>,
    month: Option<i64>,
    year: Option<i64>,
    seconds: Option<i64>,
    zone: Option<i64>,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

impl Date {
    fn token(&mut self, token: &str) -> Option<()> {
        if token.contains(':') {
            self.seconds = self.seconds.or(Some(clock(token)?));
        } else if let Some(number) = number(token) {
            if self.day.is_none() && token.len() <= 2 {
                self.day = Some(number);
            } else if self.year.is_none() {
                self.year = Some(full_year(number, token.len()));
            }
        } else if self.seconds.is_some() && token.starts_with(['+', '-']) {
            self.zone = self.zone.or(Some(offset(token)?));
        } else if let Some(month) = month(token) {
            self.month = self.month.or(Some(month));
        } else if let Some(zone) = named_zone(token) {
            self.zone = self.zone.or(Some(zone));
        } else if token.contains(['-', '/']) {
            // 22-Aug-2002, 2002-08-22, 2002/08/22
            self.dashed(token)?;
        }
        Some(())
    }

    fn dashed(&mut self, token: &str) -> Option<()> {
        let mut pieces = token.splitn(3, ['-', '/']);
        let (first, middle, last) = (pieces.next()?, pieces.next()?, pieces.next()?);
        self.month = month(middle).or_else(|| number(middle));
        let (day, year) = if first.len() == 4 { (last, first) } else { (first, last) };
        self.day = number(day);
        self.year = number(year).map(|number| full_year(number, year.len()));
        self.year.map(|_| ())
    }

    fn millis(&self) -> Option<i64> {
        let (year, month, day) = (self.year?, self.month?, self.day?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let seconds = days(year, month, day) * 86_400 + self.seconds.unwrap_or(0) - self.zone.unwrap_or(0);
        Some((seconds * 1_000).clamp(0, LAST))
    }
}

/// At most five digits, so that no sum can overflow.
fn number(token: &str) -> Option<i64> {
    (token.len() <= 5 && token.bytes().all(|byte| byte.is_ascii_digit())).then(|| token.parse().ok())?
}

/// Years of two and three digits (RFC 5322 §4.3); 0102 is such a year too, of programs that count from 1900.
fn full_year(number: i64, digits: usize) -> i64 {
    match (digits, number) {
        (..=2, ..=49) => number + 2000,
        (_, ..=999) => number + 1900,
        _ => number,
    }
}

fn month(token: &str) -> Option<i64> {
    let start = token.get(..3)?;
    let all_letters = token.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'.');
    let at = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(start))?;
    all_letters.then_some(at as i64 + 1)
}

/// `12:36`, `12:36:23`, `12:36:60` and `12:36:23.123`, as seconds of the day.
fn clock(token: &str) -> Option<i64> {
    let mut pieces = token.split([':', '.']);
    let hour = number(pieces.next()?).filter(|hour| *hour < 24)?;
    let minute = number(pieces.next()?).filter(|minute| *minute < 60)?;
    let second = pieces.next().map_or(Some(0), number).filter(|second| *second <= 60)?;
    Some(hour * 3_600 + minute * 60 + second)
}

/// `+0530`, as seconds east of UTC.
fn offset(token: &str) -> Option<i64> {
    // `+-0500` is what one mailer made of `-0500`.
    let (sign, digits) = token.strip_prefix("+-").map_or_else(|| token.split_at(1), |digits| ("-", digits));
    let digits = number(digits.get(..4).unwrap_or(digits))?;
    let seconds = (digits / 100 % 24) * 3_600 + (digits % 100).min(59) * 60;
    Some(if sign == "-" { -seconds } else { seconds })
}

fn named_zone(token: &str) -> Option<i64> {
    let hours = match token.to_ascii_uppercase().as_str() {
        "UT" | "UTC" | "GMT" | "Z" => 0,
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        "CET" | "MET" | "BST" => 1,
        "CEST" | "MEST" | "EET" => 2,
        "JST" => 9,
        _ => return None,
    };
    Some(hours * 3_600)
}

/// Days from 1970-01-01 in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let date = 1_030_012_583_000; // 2002-08-22T10:36:23Z
        for (text, millis) in [
            ("Thu, 22 Aug 2002 12:36:23 +0200", Some(date)),
            ("22 Aug 2002 10:36:23 GMT (a comment)", Some(date)),
            ("22 aug 02 10:36:23 -0000", Some(date)),
            ("Thu, 22 Aug 102 06:36:23 EDT", Some(date)),
            ("Thu Aug 22 10:36:23 2002", Some(date)),
            ("Thu Aug 22 10:36:23 UTC 2002", Some(date)),
            ("Thursday, 22-Aug-02 10:36:23 Z", Some(date)),
            ("2002-08-22 10:36:23 +0000", Some(date)),
            ("Thu,22 Aug 2002\r\n 10:36:23.999 +0000", Some(date)),
            ("Thu, 22 Aug 2002 05:06:23 -0530", Some(date)),
            ("Thu, 22 Aug 0102 05:36:23 +-0500", Some(date)),
            ("2002/08/22 Thu 05:36:23 CDT", Some(date)),
            ("22 Aug 2002", Some(1_029_974_400_000)),
            ("22 August 2002 00:00", Some(1_029_974_400_000)),
            ("1 Jan 1970 00:00:00 +0000", Some(0)),
            ("29 Feb 2000 00:00:00 +0000", Some(951_782_400_000)),
            ("31 Dec 2016 23:59:60 +0000", Some(1_483_228_800_000)),
            ("yesterday", None),
            ("", None),
            ("32 Foo 2002", None),
            ("Thu, 22 Aug 2002 99:99:99 +0200", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse_date(text.as_bytes()), millis, "{text}");
        }
    }

    #[test]
    fn note_44_absurd_dates_are_clamped() {
        assert_eq!(parse_date(b"1 Jan 0000 00:00:00 +0000"), Some(0));
        assert_eq!(parse_date(b"1 Jan 1900 00:00:00 +0000"), Some(0));
        assert_eq!(parse_date(b"31 Dec 9999 23:59:59 -1200"), Some(LAST));
        assert_eq!(parse_date(b"1 Jan 99999 00:00:00 +0000"), Some(LAST));
        assert_eq!(parse_date(&b"1 ".repeat(1_000_000)), None);
        assert_eq!(parse_date(b"\xff\xfe\0"), None);
    }
}
