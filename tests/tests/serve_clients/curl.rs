//! curl: single commands of both protocols, in the clear, with STARTTLS and over TLS.

use std::fs;
use std::process::Output;

use mailkeep_tests::corpus::{crlf, generate};
use mailkeep_tests::imap::Mail;
use mailkeep_tests::pop::maildrop;
use mailkeep_tests::served::{SECRET, Served, USER, bounded};

use crate::maildir::hash;

/// How curl is to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secured {
    No,
    StartTls,
    Tls,
}

const WAYS: [Secured; 3] = [Secured::No, Secured::StartTls, Secured::Tls];

#[test]
fn imap() {
    for way in WAYS {
        let served = Served::start("curl");
        let mails: Vec<Mail> = generate(3, 12, 4_000).collect();
        served.fill("INBOX", mails.clone());
        let curl = Curl { served: &served, way };

        let listed = curl.imap("", &[]);
        assert!(listed.contains("INBOX"), "{way:?}: {listed}");
        curl.imap("", &["-X", "CREATE \"From curl\""]);
        let file = served.folder().join("up.eml");
        fs::write(&file, b"Subject: by curl\r\nFrom: a@b.example\r\n\r\nUploaded.\r\n").expect("own folder");
        curl.imap("From%20curl", &["-T", &file.display().to_string()]);
        assert!(curl.imap("", &[]).contains("From curl"));

        let fetched = curl.output(curl.imap_url("INBOX;UID=7"), &[]).stdout;
        assert_eq!(hash(&fetched), hash(&mails[6].bytes), "{way:?}: a body comes to the byte");
        let section = curl.imap("INBOX;UID=7;SECTION=HEADER.FIELDS%20(SUBJECT)", &[]);
        assert!(section.starts_with("Subject: ") && section.ends_with("\r\n\r\n"), "{way:?}: {section:?}");
        let part = curl.output(curl.imap_url("INBOX;MAILINDEX=2;PARTIAL=0.40"), &[]).stdout;
        assert_eq!(part, mails[1].bytes[..40], "{way:?}");
        let found = curl.imap("INBOX?ALL", &[]);
        assert_eq!(found.trim(), "* SEARCH 1 2 3 4 5 6 7 8 9 10 11 12", "{way:?}");

        curl.imap("INBOX", &["-X", "UID STORE 4 +FLAGS.SILENT (\\Deleted $Work)"]);
        curl.imap("INBOX", &["-X", "UID COPY 5 \"From curl\""]);
        let gone = curl.imap("INBOX", &["-X", "EXPUNGE"]);
        assert!(gone.contains("* 4 EXPUNGE"), "{way:?}: {gone}");
        let examined = curl.imap("", &["-X", "STATUS \"From curl\" (MESSAGES UNSEEN)"]);
        assert!(examined.contains("MESSAGES 2"), "{way:?}: {examined}");

        let dump = served.dump();
        assert_eq!(dump.uids("INBOX"), (1..=12).filter(|uid| *uid != 4).collect::<Vec<u64>>());
        let copied = &dump.mailboxes["From curl"].messages;
        assert_eq!(
            copied[&1].sha256,
            hash(&fs::read(&file).expect("own file")),
            "{way:?}: an upload to the byte"
        );
        assert_eq!(copied[&2].sha256, hash(&mails[4].bytes), "{way:?}: a copy to the byte");
        served.finish();
    }
}

#[test]
fn pop3() {
    for way in WAYS {
        let served = Served::start("curlpop");
        let mails: Vec<Mail> = generate(4, 5, 3_000).collect();
        served.fill("INBOX", mails.clone());
        let curl = Curl { served: &served, way };

        let sizes: Vec<(usize, usize)> = curl.pop3("", &[]).lines().map(pair).collect();
        let expected: Vec<(usize, usize)> =
            mails.iter().enumerate().map(|(at, m)| (at + 1, m.bytes.len())).collect();
        assert_eq!(sizes, expected, "{way:?}");
        let got = curl.output(curl.pop3_url("3"), &[]).stdout;
        assert_eq!(hash(&got), hash(&crlf(&mails[2].bytes)), "{way:?}: to the byte");
        curl.pop3("2", &["-X", "DELE", "-l"]);
        let left = curl.pop3("", &["-X", "UIDL"]);
        assert_eq!(left.lines().count(), 4, "{way:?}: {left}");

        let drop = maildrop(served.pop3_port(), USER, SECRET);
        let mut seen: Vec<String> = drop.into_values().collect();
        seen.sort();
        let kept = mails.iter().enumerate().filter(|(at, _)| *at != 1);
        let mut kept: Vec<String> = kept.map(|(_, mail)| hash(&mail.bytes)).collect();
        kept.sort();
        assert_eq!(seen, kept, "{way:?}");
        assert_eq!(served.dump().count(), 4);
        served.finish();
    }
}

#[test]
fn a_wrong_password_and_a_strange_authority_are_refused() {
    let served = Served::start("curlno");
    let url = format!("imap://localhost:{}/", served.imap_port());
    let wrong = bounded("curl").args(["-sS", "--user", "desk:wrong", &url]).output().expect("curl runs");
    // 67: the server did not let it in.
    assert_eq!(wrong.status.code(), Some(67), "{}", String::from_utf8_lossy(&wrong.stderr));
    let user = format!("{USER}:{SECRET}");
    let strange =
        bounded("curl").args(["-sS", "--ssl-reqd", "--user", &user, &url]).output().expect("curl runs");
    // 60: the certificate is not known.
    assert_eq!(strange.status.code(), Some(60), "{}", String::from_utf8_lossy(&strange.stderr));
    served.finish();
}

fn pair(line: &str) -> (usize, usize) {
    let mut numbers = line.split(' ').map(|n| n.parse().unwrap_or_else(|e| panic!("{e}: {line:?}")));
    (numbers.next().expect("a number"), numbers.next().expect("a size"))
}

struct Curl<'a> {
    served: &'a Served,
    way: Secured,
}

impl Curl<'_> {
    fn imap_url(&self, rest: &str) -> String {
        match self.way {
            Secured::Tls => format!("imaps://localhost:{}/{rest}", self.served.imaps_port()),
            _ => format!("imap://localhost:{}/{rest}", self.served.imap_port()),
        }
    }

    fn pop3_url(&self, rest: &str) -> String {
        match self.way {
            Secured::Tls => format!("pop3s://localhost:{}/{rest}", self.served.pop3s_port()),
            _ => format!("pop3://localhost:{}/{rest}", self.served.pop3_port()),
        }
    }

    fn imap(&self, rest: &str, arguments: &[&str]) -> String {
        text(self.output(self.imap_url(rest), arguments))
    }

    fn pop3(&self, rest: &str, arguments: &[&str]) -> String {
        text(self.output(self.pop3_url(rest), arguments))
    }

    fn output(&self, url: String, arguments: &[&str]) -> Output {
        let mut command = bounded("curl");
        command
            .args(["-sS", "--user", &format!("{USER}:{SECRET}")])
            .arg("--cacert")
            .arg(self.served.ca_path());
        if self.way == Secured::StartTls {
            command.arg("--ssl-reqd");
        }
        let output = command.args(arguments).arg(&url).output().expect("curl runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{:?}: curl {arguments:?} {url}: {said}{}",
            self.way,
            self.served.log()
        );
        output
    }
}

fn text(output: Output) -> String {
    String::from_utf8(output.stdout).expect("what was asked for is ASCII")
}
