//! A reader of IMAP commands, apart from the engine's own code.

/// A word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    Atom(String),
    Text(Vec<u8>),
    Literal(Vec<u8>),
    List(Vec<Arg>),
}

impl Arg {
    /// The octets of an atom or a string.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Arg::Atom(atom) => atom.clone().into_bytes(),
            Arg::Text(text) | Arg::Literal(text) => text.clone(),
            Arg::List(_) => Vec::new(),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    pub fn is(&self, word: &str) -> bool {
        self.text().eq_ignore_ascii_case(word)
    }

    /// The word as it may be logged: long ones by their size.
    pub fn shown(&self) -> String {
        match self {
            Arg::Atom(atom) => atom.clone(),
            Arg::Literal(text) if text.len() > 60 || text.contains(&b'\n') => format!("{{{}}}", text.len()),
            Arg::Text(text) | Arg::Literal(text) => format!("\"{}\"", String::from_utf8_lossy(text)),
            Arg::List(items) => {
                format!("({})", items.iter().map(Arg::shown).collect::<Vec<_>>().join(" "))
            }
        }
    }

    /// What a list holds; a single word is a list of itself.
    pub fn items(&self) -> Vec<Arg> {
        match self {
            Arg::List(items) => items.clone(),
            other => vec![other.clone()],
        }
    }
}

/// What there is at the start of a client's bytes.
#[derive(Debug)]
pub enum Read {
    /// A whole command, and how long it is.
    Command { args: Vec<Arg>, len: usize, literals: Literals },
    /// A synchronising literal waits to be asked for at this place: the words before it, its size.
    Wait { at: usize, args: Vec<Arg>, size: u64 },
    /// Nothing whole yet.
    More,
    /// Nonsense up to here.
    Bad(usize),
}

/// The literals of a command.
#[derive(Debug, Clone, Copy, Default)]
pub struct Literals {
    /// The largest that was sent unasked.
    pub loose: Option<usize>,
    /// One was literal8 (RFC 3516).
    pub binary: bool,
    /// One that was not has a NUL.
    pub nul: bool,
    pub octets: usize,
}

enum Stop {
    More,
    Wait(usize, u64),
    Bad,
}

struct Reader<'a> {
    buf: &'a [u8],
    at: usize,
    literals: Literals,
    /// The words of the command itself so far.
    top: Vec<Arg>,
}

/// Reads one command.
pub fn read_command(buf: &[u8]) -> Read {
    let mut reader = Reader { buf, at: 0, literals: Literals::default(), top: Vec::new() };
    match reader.words(b'\r') {
        Ok(args) => Read::Command { args, len: reader.at, literals: reader.literals },
        Err(Stop::More) => Read::More,
        Err(Stop::Wait(at, size)) => Read::Wait { at, args: reader.top, size },
        Err(Stop::Bad) => match buf.iter().position(|b| *b == b'\n') {
            Some(end) => Read::Bad(end + 1),
            None => Read::More,
        },
    }
}

impl Reader<'_> {
    fn peek(&self) -> Result<u8, Stop> {
        self.buf.get(self.at).copied().ok_or(Stop::More)
    }

    fn words(&mut self, end: u8) -> Result<Vec<Arg>, Stop> {
        let mut words = Vec::new();
        loop {
            match self.peek()? {
                b' ' => self.at += 1,
                b'\r' if end == b'\r' => {
                    self.at += 1;
                    let next = self.peek()?;
                    self.at += 1;
                    return if next == b'\n' { Ok(words) } else { Err(Stop::Bad) };
                }
                b')' if end == b')' => {
                    self.at += 1;
                    return Ok(words);
                }
                b'\r' | b'\n' | b')' => return Err(Stop::Bad),
                b'(' => {
                    self.at += 1;
                    words.push(Arg::List(self.words(b')')?));
                }
                b'"' => words.push(self.quoted()?),
                b'{' => {
                    if end == b'\r' {
                        self.top.clone_from(&words);
                    }
                    words.push(self.literal(false)?);
                }
                b'~' if self.buf.get(self.at + 1) == Some(&b'{') => {
                    self.at += 1;
                    words.push(self.literal(true)?);
                }
                _ => words.push(self.atom()?),
            }
        }
    }

    fn quoted(&mut self) -> Result<Arg, Stop> {
        let mut text = Vec::new();
        loop {
            self.at += 1;
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    text.push(self.peek()?);
                }
                b'\r' | b'\n' => return Err(Stop::Bad),
                byte => text.push(byte),
            }
        }
        self.at += 1;
        Ok(Arg::Text(text))
    }

    fn literal(&mut self, binary: bool) -> Result<Arg, Stop> {
        let start = self.at;
        let close = self.buf[start..].iter().position(|b| *b == b'}').ok_or(Stop::More)? + start;
        let inside = std::str::from_utf8(&self.buf[start + 1..close]).map_err(|_| Stop::Bad)?;
        let loose = inside.ends_with('+');
        let len: usize = inside.trim_end_matches('+').parse().map_err(|_| Stop::Bad)?;
        let data = close + 3;
        if self.buf.len() < data {
            return Err(Stop::More);
        }
        if &self.buf[close + 1..data] != b"\r\n" {
            return Err(Stop::Bad);
        }
        if loose {
            self.literals.loose = self.literals.loose.max(Some(len));
        }
        if self.buf.len() < data + len {
            return Err(if loose { Stop::More } else { Stop::Wait(data, len as u64) });
        }
        self.at = data + len;
        let octets = self.buf[data..self.at].to_vec();
        self.literals.octets += len;
        self.literals.binary |= binary;
        self.literals.nul |= !binary && octets.contains(&0);
        Ok(Arg::Literal(octets))
    }

    /// An atom; what stands in brackets belongs to it.
    fn atom(&mut self) -> Result<Arg, Stop> {
        let start = self.at;
        let mut depth = 0;
        loop {
            match self.peek()? {
                b'[' => depth += 1,
                b']' => depth -= 1,
                b'\r' | b'\n' => break,
                b' ' | b'(' | b')' if depth == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        Ok(Arg::Atom(String::from_utf8_lossy(&self.buf[start..self.at]).into_owned()))
    }
}

/// A set of numbers as ranges; `*` is `last`.
pub fn ranges(set: &str, last: u32) -> Vec<(u32, u32)> {
    let number = |text: &str| if text == "*" { last } else { text.parse().unwrap_or(0) };
    set.split(',')
        .map(|range| {
            let (a, b) = range.split_once(':').unwrap_or((range, range));
            let (a, b) = (number(a), number(b));
            (a.min(b), a.max(b))
        })
        .collect()
}

pub fn holds(ranges: &[(u32, u32)], number: u32) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&number))
}

/// Numbers as a set in its short form.
pub fn set_text(numbers: impl IntoIterator<Item = u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for n in numbers {
        match runs.last_mut() {
            Some((_, high)) if *high + 1 == n => *high = n,
            _ => runs.push((n, n)),
        }
    }
    let text = |(low, high): &(u32, u32)| if low == high { low.to_string() } else { format!("{low}:{high}") };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let n = three.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - three.len()));
        for i in 0..4 {
            let sextet = LETTERS[(n >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= three.len() { char::from(sextet) } else { '=' });
        }
    }
    out
}

pub fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut n, mut bits) = (0u32, 0);
    for byte in text.iter().filter(|b| **b != b'=') {
        n = n << 6 | LETTERS.iter().position(|l| l == byte)? as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((n >> bits) as u8);
        }
    }
    Some(out)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// INTERNALDATE of a time in milliseconds since 1970, in UTC.
pub fn internal_date(ms: i64) -> String {
    let (seconds, days) = (ms.div_euclid(1000).rem_euclid(86_400), ms.div_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{day:2}-{}-{year:04} {h:02}:{m:02}:{s:02} +0000", MONTHS[month - 1])
}

/// The day since 1970 that a SEARCH date names.
pub fn search_day(date: &str) -> Option<i64> {
    let mut pieces = date.split('-');
    let day: i64 = pieces.next()?.parse().ok()?;
    let name = pieces.next()?;
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(name))? + 1;
    let year: i64 = pieces.next()?.parse().ok()?;
    (0..60_000).find(|days| civil(*days) == (year, month, day))
}

/// The time in milliseconds since 1970 of an INTERNALDATE, as `" 1-Jan-2026 10:00:00 +0100"`.
pub fn date_time(text: &str) -> Option<i64> {
    let mut pieces = text.trim_start().split(' ');
    let day = search_day(pieces.next()?)?;
    let time: Vec<i64> = pieces.next()?.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let zone: i64 = pieces.next()?.parse().ok()?;
    let [h, m, s] = time[..] else { return None };
    let zone_minutes = zone / 100 * 60 + zone % 100;
    Some((day * 86_400 + h * 3_600 + m * 60 + s - zone_minutes * 60) * 1_000)
}

/// Days from 1970 to 2025, in which most mail of the tests is.
const TO_2025: i64 = 20_089;

/// The date of a day since 1970.
fn civil(mut days: i64) -> (i64, usize, i64) {
    let leap = |y: i64| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let mut year = 1970;
    if days >= TO_2025 {
        (days, year) = (days - TO_2025, 2025);
    }
    while days >= 365 + i64::from(leap(year)) {
        days -= 365 + i64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    (year, month + 1, days + 1)
}
