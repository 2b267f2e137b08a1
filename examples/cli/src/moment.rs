//! Moments as a person writes them on the command line (RFC 3339).

use mailkeep::imap::date::parse_internal_date;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads `2024-02-29T12:00:00Z` or with an offset; milliseconds since 1970.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    read(text).ok_or_else(|| format!("{text} is no moment such as 2024-02-29T12:00:00Z"))
}

fn read(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut fields = date.split('-');
    let (year, month, day) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() || year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    let (clock, zone) = time.split_at_checked(8)?;
    let zone = match zone.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => zone,
    };
    let zone = match zone {
        "Z" | "z" => "+0000".to_owned(),
        zone => zone.strip_suffix(|c: char| c.is_ascii_digit()).map(|_| zone.replace(':', ""))?,
    };
    parse_internal_date(format!("{day}-{month}-{year} {clock} {zone}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_their_offsets() {
        let moment = 1_709_208_000_000;
        for text in ["2024-02-29T12:00:00Z", "2024-02-29t13:30:00+01:30", "2024-02-29 04:00:00.250-08:00"] {
            assert_eq!(parse(text), Ok(moment), "{text}");
        }
        for text in
            ["2024-02-29", "2024-02-30T12:00:00Z", "2024-02-29T12:00:00", "yesterday", "2024-2-9T1:1:1Z", ""]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
