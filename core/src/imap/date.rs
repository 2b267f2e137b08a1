//! INTERNALDATE: `dd-Mon-yyyy hh:mm:ss +zzzz` to milliseconds since 1970 and back (RFC 9051 §9: date-time).

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const DAY: i64 = 86_400;
/// The first second of year 1 and the last of year 9999: what four digits can say.
const SECONDS: (i64, i64) = (-62_135_596_800, 253_402_300_799);

/// Reads a date-time, given without its quotes, as milliseconds since 1970-01-01 00:00 UTC.
///
/// The day may be one digit or have a space before it; the zone may be missing and is UTC then.
/// Years outside 1 to 9999 are clamped. `None` where it does not parse or names no day (30-Feb).
pub fn parse_internal_date(text: &[u8]) -> Option<i64> {
    let mut rest = text.trim_ascii();
    let day = digits(&mut rest, 1, 2)?;
    skip(&mut rest, b'-')?;
    let (name, behind) = rest.split_first_chunk::<3>()?;
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(name))? as i64 + 1;
    rest = behind;
    skip(&mut rest, b'-')?;
    let year = digits(&mut rest, 4, 4)?.max(1);
    skip(&mut rest, b' ')?;
    rest = rest.trim_ascii_start();
    let hour = digits(&mut rest, 1, 2).filter(|&h| h < 24)?;
    skip(&mut rest, b':')?;
    let minute = digits(&mut rest, 2, 2).filter(|&m| m < 60)?;
    skip(&mut rest, b':')?;
    let second = digits(&mut rest, 2, 2).filter(|&s| s <= 60)?;
    let zone = zone(rest.trim_ascii_start())?;
    if day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second - zone;
    Some(seconds.clamp(SECONDS.0, SECONDS.1) * 1000)
}

/// Writes milliseconds since 1970-01-01 00:00 UTC as a date-time in UTC, without quotes; clamped to
/// the years 1 to 9999.
pub fn format_internal_date(ms: i64) -> String {
    let seconds = ms.div_euclid(1000).clamp(SECONDS.0, SECONDS.1);
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
    let time = seconds.rem_euclid(DAY);
    let month = std::str::from_utf8(MONTHS[month as usize - 1]).unwrap_or_default();
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{day:02}-{month}-{year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

/// The calendar day in UTC that holds a moment: year, month, day.
pub fn civil_from_ms(ms: i64) -> (u16, u8, u8) {
    let seconds = ms.div_euclid(1000).clamp(SECONDS.0, SECONDS.1);
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
    (year as u16, month as u8, day as u8)
}

/// The name of a month, 1 to 12, as dates write it.
pub fn month_name(month: u8) -> Option<&'static str> {
    let name = MONTHS.get(usize::from(month).checked_sub(1)?)?;
    std::str::from_utf8(*name).ok()
}

/// Reads a day such as `1-Feb-1994`, given without quotes (RFC 9051 §9: date-text): year, month, day.
pub fn parse_day(text: &[u8]) -> Option<(u16, u8, u8)> {
    let mut rest = text;
    let day = digits(&mut rest, 1, 2)?;
    skip(&mut rest, b'-')?;
    let (name, behind) = rest.split_first_chunk::<3>()?;
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(name))? as i64 + 1;
    rest = behind;
    skip(&mut rest, b'-')?;
    let year = digits(&mut rest, 4, 4)?;
    let is_day = rest.is_empty() && day > 0 && day <= days_in_month(year, month);
    is_day.then_some((year as u16, month as u8, day as u8))
}

fn digits(rest: &mut &[u8], min: usize, max: usize) -> Option<i64> {
    let width = rest.iter().take(max).take_while(|b| b.is_ascii_digit()).count();
    let (digits, behind) = rest.split_at(width);
    *rest = behind;
    (width >= min).then(|| digits.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0')))
}

fn skip(rest: &mut &[u8], byte: u8) -> Option<()> {
    *rest = rest.strip_prefix(&[byte])?;
    Some(())
}

/// Seconds east of UTC.
fn zone(text: &[u8]) -> Option<i64> {
    let (sign, mut rest) = match text {
        [] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let value = digits(&mut rest, 4, 4).filter(|_| rest.is_empty())?;
    Some(sign * (value / 100 * 3600 + value % 100 * 60))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, by eras of 400 years that begin on 1 March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`]: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_parse() {
        for (text, ms) in [
            ("01-Jan-1970 00:00:00 +0000", 0),
            ("17-Jul-1996 02:44:25 -0700", 837_596_665_000),
            (" 7-Feb-1994 21:52:25 -0800", 760_686_745_000),
            ("7-feb-1994 21:52:25 -0800", 760_686_745_000),
            ("29-Feb-2024 12:00:00 +0530", 1_709_188_200_000),
            ("31-Dec-2016 23:59:60 +0000", 1_483_228_800_000),
            ("01-Jan-1970 00:00:01", 1_000),
        ] {
            assert_eq!(parse_internal_date(text.as_bytes()), Some(ms), "{text}");
        }
    }

    #[test]
    fn dates_that_do_not() {
        for text in [
            "",
            "1",
            "30-Feb-2024 00:00:00 +0000",
            "00-Jan-2024 00:00:00 +0000",
            "01-Foo-2024 00:00:00 +0000",
            "01-Jan-24 00:00:00 +0000",
            "01-Jan-2024 24:00:00 +0000",
            "01-Jan-2024 00:60:00 +0000",
            "01-Jan-2024 00:00:00 +000",
            "01-Jan-2024 00:00:00 GMT",
            "01-Jan-20240 00:00:00 +0000",
            "Mon, 7 Feb 1994 21:52:25 -0800",
            "01-Jan-2024 00:00:00 +00000",
        ] {
            assert_eq!(parse_internal_date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn note_44_extreme_years_are_clamped_and_kept() {
        let first = parse_internal_date(b"01-Jan-0000 00:00:00 +1200").unwrap();
        assert_eq!(format_internal_date(first), "01-Jan-0001 00:00:00 +0000");
        let last = parse_internal_date(b"31-Dec-9999 23:59:59 -1200").unwrap();
        assert_eq!(format_internal_date(last), "31-Dec-9999 23:59:59 +0000");
        assert_eq!(format_internal_date(i64::MAX), "31-Dec-9999 23:59:59 +0000");
        assert_eq!(format_internal_date(i64::MIN), "01-Jan-0001 00:00:00 +0000");
    }

    #[test]
    fn every_day_of_eight_centuries_goes_there_and_back() {
        for days in -146_097..146_097 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            assert!((1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day));
        }
        // `step_by` takes a usize, which 32 bits are too few for.
        let (first, last) = (SECONDS.0 * 1000, SECONDS.1 * 1000);
        for ms in (0..).map(|n| first + n * 86_399_999_000 * 7).take_while(|ms| *ms <= last) {
            let seconds = ms.div_euclid(1000) * 1000;
            assert_eq!(parse_internal_date(format_internal_date(ms).as_bytes()), Some(seconds));
        }
    }
}
