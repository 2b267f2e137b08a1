//! Letters that nobody wrote.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailkeep::imap::date::civil_from_ms;

pub(super) struct Letter {
    pub(super) raw: String,
    pub(super) received_ms: i64,
    pub(super) seen: bool,
}

const PEOPLE: [(&str, &str); 6] = [
    ("Ada Weber", "ada@example.org"),
    ("=?utf-8?Q?Bj=C3=B6rn_Holm?=", "bjorn@example.net"),
    ("Chen Li", "chen.li@example.com"),
    ("Dolores Ruiz", "dolores@example.org"),
    ("The Garden Society", "news@garden.example"),
    ("Your library", "loans@library.example"),
];

const SUBJECTS: [&str; 8] = [
    "Tomatoes, and what came of them",
    "Minutes of last week",
    "=?utf-8?B?R3LDvMOfZSBhdXMgS8O2bG4=?=",
    "The key to the shed",
    "Two books are due",
    "Photographs of the fence",
    "Re: the key to the shed",
    "A question about seeds",
];

const LINES: [&str; 6] = [
    "the first ones are ripe, and far too many for the two of us.",
    "I have written down what was said; please tell me what I got wrong.",
    "es regnet seit Tagen, und wir sitzen am Fenster.",
    "it hangs where it always hangs, behind the watering can.",
    "you can have them for another week if nobody asks for them.",
    "the pictures are attached; the third one is the best.",
];

const HOUR_MS: i64 = 3_600_000;

/// Letters for a mailbox each, oldest first.
pub(super) fn all(now_ms: i64) -> Vec<(&'static str, Letter)> {
    let mut all = Vec::new();
    for n in 0..240_usize {
        let mailbox = match n % 8 {
            6 => "Archive",
            7 => "Sent",
            _ => "INBOX",
        };
        let received_ms = now_ms - (240 - n as i64) * 5 * HOUR_MS;
        all.push((mailbox, letter(n, received_ms)));
    }
    all
}

fn letter(n: usize, received_ms: i64) -> Letter {
    let (name, address) = PEOPLE[n % PEOPLE.len()];
    let subject = SUBJECTS[n % SUBJECTS.len()];
    let text = format!("Hello,\r\n\r\n{}\r\n\r\nYours, {n}\r\n", LINES[n % LINES.len()]);
    let head = head(&format!("{name} <{address}>"), subject, &format!("letter-{n}"), received_ms);
    let raw = if n % 8 == 5 {
        // One with an attachment: octets that are no text.
        let data: Vec<u8> = (0..6_000_usize).map(|at| (at * (n + 7) % 251) as u8).collect();
        format!(
            "{head}Content-Type: multipart/mixed; boundary=\"=_{n}\"\r\n\r\n--=_{n}\r\nContent-Type: text/plain\r\n\r\n\
             {text}--=_{n}\r\nContent-Type: image/x-demo; name=\"fence.img\"\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename=\"fence.img\"\r\n\r\n{}--=_{n}--\r\n",
            base64(&data)
        )
    } else {
        format!("{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}")
    };
    Letter { raw, received_ms, seen: !n.is_multiple_of(3) }
}

/// A letter that comes while the device is offline.
pub(super) fn late() -> String {
    let head = head("Ada Weber <ada@example.org>", "While you were away", "late", 1_767_225_600_000);
    format!("{head}Content-Type: text/plain; charset=utf-8\r\n\r\nThis one came while nobody listened.\r\n")
}

/// A draft, in one version or another.
pub(super) fn draft(version: &str) -> String {
    let head = head("Me <me@example.org>", "The seeds", &format!("draft-{version}"), 1_767_225_600_000);
    format!("{head}Content-Type: text/plain; charset=utf-8\r\n\r\nThis is the {version} version.\r\n")
}

fn head(from: &str, subject: &str, id: &str, at_ms: i64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = civil_from_ms(at_ms);
    let minutes = at_ms.div_euclid(60_000).rem_euclid(1_440);
    format!(
        "From: {from}\r\nTo: Me <me@example.org>\r\nSubject: {subject}\r\nDate: {day:02} {} {year} {:02}:{:02}:00 +0000\r\n\
         Message-ID: <{id}@demo.example>\r\nMIME-Version: 1.0\r\n",
        MONTHS[month as usize - 1],
        minutes / 60,
        minutes % 60
    )
}

/// RFC 2045 §6.8, in lines of 76.
fn base64(data: &[u8]) -> String {
    data.chunks(57).map(|line| STANDARD.encode(line) + "\r\n").collect()
}
