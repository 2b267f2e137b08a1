//! Synthetic mail, the same for the same seed everywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{FIRST_DATE, flags_for};
use crate::imap::{Mail, date_time};

/// Makes `count` messages whose sizes come to about `average` bytes each: plain text, alternatives, HTML and
/// attachments, in several languages, two in five answering an earlier one. 20,000 of 22,000 bytes make 440
/// MB.
pub fn generate(seed: u64, count: usize, average: usize) -> impl Iterator<Item = Mail> {
    let mut random = Random(seed ^ 0x9e37_79b9_7f4a_7c15);
    let mut recent: Vec<Thread> = Vec::new();
    (0..count as u64).map(move |number| {
        let thread = next_thread(&mut random, &recent, seed, number);
        let date = FIRST_DATE + 60 * number as i64;
        let bytes = message(&mut random, &thread, date, average);
        recent.push(thread);
        if recent.len() > 50 {
            recent.remove(0);
        }
        Mail { bytes, internal_date: date, flags: flags_for(number) }
    })
}

struct Thread {
    id: String,
    references: Vec<String>,
    subject: String,
    language: usize,
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Between two percentages of `whole`.
    fn share(&mut self, whole: usize, low: usize, high: usize) -> usize {
        whole * (low + self.below(high - low)) / 100
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

fn next_thread(random: &mut Random, recent: &[Thread], seed: u64, number: u64) -> Thread {
    let id = format!("<{seed:x}.{number}@generated.example>");
    if !recent.is_empty() && random.below(5) < 2 {
        let parent = &recent[random.below(recent.len())];
        let mut references: Vec<String> = parent.references.iter().rev().take(9).rev().cloned().collect();
        references.push(parent.id.clone());
        let subject = match parent.subject.strip_prefix("Re: ") {
            Some(_) => parent.subject.clone(),
            None => format!("Re: {}", parent.subject),
        };
        return Thread { id, references, subject, language: parent.language };
    }
    let language = random.below(LANGUAGES.len());
    let subject =
        (0..2 + random.below(6)).map(|_| random.pick(LANGUAGES[language])).collect::<Vec<_>>().join(" ");
    Thread { id, references: Vec::new(), subject, language }
}

fn message(random: &mut Random, thread: &Thread, date: i64, average: usize) -> Vec<u8> {
    let mut text = header(random, thread, date);
    let words = LANGUAGES[thread.language];
    match random.below(10) {
        0..5 => {
            let size = random.share(average, 5, 40);
            text.push_str(&part("text/plain", &prose(random, words, size)));
        }
        5 => {
            let size = random.share(average, 30, 100);
            text.push_str(&part("text/html", &html(&prose(random, words, size))));
        }
        6 | 7 => {
            let size = random.share(average, 15, 50);
            let prose = prose(random, words, size);
            let parts = [part("text/plain", &prose), part("text/html", &html(&prose))];
            text.push_str(&multipart(random, "alternative", &parts));
        }
        _ => {
            let (size, attached) = (random.share(average, 5, 40), random.share(average, 90, 470));
            let parts = [part("text/plain", &prose(random, words, size)), attachment(random, attached)];
            text.push_str(&multipart(random, "mixed", &parts));
        }
    }
    text.into_bytes()
}

fn header(random: &mut Random, thread: &Thread, date: i64) -> String {
    let (from, to) = (random.pick(PEOPLE), random.pick(PEOPLE));
    let address = |name: &str| format!("{} <{}@generated.example>", encoded(name), name.len());
    let mut header = format!(
        "Received: from relay.generated.example by mx.generated.example; {}\r\nDate: {}\r\nFrom: {}\r\nTo: {}\r\nSubject: {}\r\nMessage-ID: {}\r\n",
        header_date(date),
        header_date(date),
        address(from),
        address(to),
        encoded(&thread.subject),
        thread.id
    );
    if let Some(parent) = thread.references.last() {
        let references = thread.references.join("\r\n ");
        header.push_str(&format!("In-Reply-To: {parent}\r\nReferences: {references}\r\n"));
    }
    header.push_str("MIME-Version: 1.0\r\n");
    header
}

fn header_date(date: i64) -> String {
    date_time(date).replace('-', " ")
}

/// RFC 2047, in words that are short enough.
fn encoded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let words =
        letters.chunks(12).map(|c| format!("=?utf-8?B?{}?=", STANDARD.encode(c.iter().collect::<String>())));
    words.collect::<Vec<_>>().join("\r\n ")
}

fn prose(random: &mut Random, words: &[&str], size: usize) -> String {
    let mut text = String::with_capacity(size + 80);
    let mut line = 0;
    while text.len() < size.max(20) {
        let word = random.pick(words);
        text.push_str(word);
        line += word.len() + 1;
        if line > 66 {
            text.push_str("\r\n");
            line = 0;
        } else {
            text.push(' ');
        }
    }
    text.push_str("\r\n");
    text
}

fn html(prose: &str) -> String {
    format!("<html><body><p>{}</p></body></html>\r\n", prose.trim_end().replace("\r\n", "<br>\r\n"))
}

/// A leaf with its own header; Latin text in Latin-1 now and then, the rest in UTF-8.
fn part(kind: &str, text: &str) -> String {
    if text.is_ascii() {
        return format!("Content-Type: {kind}; charset=us-ascii\r\n\r\n{text}");
    }
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    match latin {
        Some(bytes) => {
            format!(
                "Content-Type: {kind}; charset=iso-8859-1\r\n{QUOTED}\r\n\r\n{}",
                quoted_printable(&bytes)
            )
        }
        None => format!(
            "Content-Type: {kind}; charset=utf-8\r\n{BASE64}\r\n\r\n{}",
            base64_lines(text.as_bytes())
        ),
    }
}

fn quoted_printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    let mut column = 0;
    for &byte in bytes {
        match byte {
            b'\r' => {}
            b'\n' => {
                out.push_str("\r\n");
                column = 0;
                continue;
            }
            b'=' | 127.. => out.push_str(&format!("={byte:02X}")),
            _ => out.push(byte as char),
        }
        column += 3;
        if column > 210 {
            out.push_str("=\r\n");
            column = 0;
        }
    }
    out
}

fn attachment(random: &mut Random, size: usize) -> String {
    let bytes: Vec<u8> = (0..(size / 8 * 3 / 4).max(8)).flat_map(|_| random.next().to_le_bytes()).collect();
    let (kind, name) =
        [("application/pdf", "paper.pdf"), ("image/jpeg", "bild.jpg"), ("application/zip", "all.zip")]
            [random.below(3)];
    let disposition = format!("Content-Disposition: attachment; filename=\"{name}\"");
    format!(
        "Content-Type: {kind}; name=\"{name}\"\r\n{BASE64}\r\n{disposition}\r\n\r\n{}",
        base64_lines(&bytes)
    )
}

fn multipart(random: &mut Random, kind: &str, parts: &[String]) -> String {
    let boundary = format!("=_{:016x}", random.next());
    let mut out = format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n");
    for part in parts {
        out.push_str(&format!("--{boundary}\r\n{part}\r\n"));
    }
    out.push_str(&format!("--{boundary}--\r\n"));
    out
}

fn base64_lines(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 7 / 5);
    for line in bytes.chunks(57) {
        STANDARD.encode_string(line, &mut out);
        out.push_str("\r\n");
    }
    out
}

const QUOTED: &str = "Content-Transfer-Encoding: quoted-printable";
const BASE64: &str = "Content-Transfer-Encoding: base64";

const PEOPLE: &[&str] = &[
    "Anna Berg",
    "Björn Åkesson",
    "Chloé Martin",
    "Дмитрий Орлов",
    "山田太郎",
    "Zoë O'Neill",
    "محمد علي",
    "Łukasz Nowak",
    "support",
    "newsletter",
];

/// Words of English, German, French, Russian, Japanese, Arabic, Polish.
const LANGUAGES: [&[&str]; 7] = [
    &[
        "the", "meeting", "invoice", "tomorrow", "please", "report", "attached", "regards", "with",
        "project", "deadline",
    ],
    &[
        "die",
        "Rechnung",
        "für",
        "Übergabe",
        "morgen",
        "bitte",
        "Grüße",
        "Entwurf",
        "Änderung",
        "später",
        "Straße",
    ],
    &[
        "réunion",
        "demain",
        "facture",
        "ci-jointe",
        "merci",
        "à",
        "bientôt",
        "présenté",
        "où",
        "déjà",
        "projet",
    ],
    &["встреча", "завтра", "счёт", "пожалуйста", "отчёт", "проект", "спасибо", "срок", "новый", "письмо"],
    &["会議", "明日", "請求書", "添付", "お願いします", "報告", "計画", "締め切り", "ありがとう"],
    &["اجتماع", "غدا", "فاتورة", "من", "فضلك", "تقرير", "مشروع", "شكرا"],
    &[
        "spotkanie",
        "jutro",
        "faktura",
        "proszę",
        "załącznik",
        "dziękuję",
        "książka",
        "późno",
        "żółty",
        "projekt",
    ],
];
