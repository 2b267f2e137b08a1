//! fetchmail, mpop and getmail: all mail fetched once, and deleted only where that was asked for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mailkeep_tests::corpus::{crlf, generate, real_mail};
use mailkeep_tests::imap::Mail;
use mailkeep_tests::pop::maildrop;
use mailkeep_tests::served::{SECRET, Served, USER, bounded};

use crate::maildir;

#[test]
fn mpop_keeps_and_then_deletes() {
    let served = Served::start("mpop");
    let mut mails = fill(&served);
    let home = Home::new(&served);
    let config = |more: &str| {
        let (port, ca) = (served.pop3_port(), served.ca_path());
        let mail = home.mail.display();
        format!(
            "account served\nhost localhost\nport {port}\nuser {USER}\npassword {SECRET}\ntls on\ntls_starttls on\n\
             tls_trust_file {}\nreceived_header off\ndelivery maildir {mail}\nuidls_file {}/uidls\n{more}\n\
             account default : served\n",
            ca.display(),
            home.path.display()
        )
    };
    home.write("mpoprc", &config("keep on"));
    let rc = home.path.join("mpoprc").display().to_string();
    let arguments = ["mpop", "-C", &rc];
    home.run(&arguments, &[0]);
    home.assert_has(&mails);
    home.run(&arguments, &[0]);
    home.assert_has(&mails);
    assert_eq!(served.dump().count(), mails.len(), "kept on the server");

    let new: Vec<Mail> = generate(77, 3, 2_000).collect();
    served.fill("INBOX", new.clone());
    mails.extend(new);
    home.write("mpoprc", &config("keep off"));
    home.run(&arguments, &[0]);
    home.assert_has(&mails);
    assert_eq!(served.dump().count(), 0, "deleted once it was fetched");
    served.finish();
}

#[test]
fn fetchmail_keeps_and_then_deletes() {
    let served = Served::start("fetchmail");
    let mut mails = fill(&served);
    let home = Home::new(&served);
    let config = |keep: &str| {
        format!(
            "poll localhost service {} protocol pop3 uidl\n  user \"{USER}\" password \"{SECRET}\" sslproto \"TLS1.2+\"\n  \
             sslcertck sslcertfile \"{}\"\n  mda \"{}\" no rewrite {keep}\n",
            served.pop3_port(),
            served.ca_path().display(),
            home.deliverer()
        )
    };
    home.write("fetchmailrc", &config("keep"));
    let rc = home.path.join("fetchmailrc").display().to_string();
    let arguments = ["fetchmail", "--fetchmailrc", &rc, "--nosyslog", "--invisible"];
    home.run(&arguments, &[0]);
    home.assert_has(&mails);
    // 1: there was no new mail.
    home.run(&arguments, &[1]);
    home.assert_has(&mails);
    assert_eq!(served.dump().count(), mails.len(), "kept on the server");

    let new: Vec<Mail> = generate(77, 3, 2_000).collect();
    served.fill("INBOX", new.clone());
    mails.extend(new);
    home.write("fetchmailrc", &config("nokeep"));
    home.run(&arguments, &[0]);
    home.assert_has(&mails);
    let left = maildrop(served.pop3_port(), USER, SECRET);
    assert_eq!(left.len(), mails.len() - 3, "what it fetched in that run is deleted");
    served.finish();
}

#[test]
fn getmail_keeps_and_then_deletes() {
    let served = Served::start("getmail");
    let mut mails = fill(&served);
    let home = Home::new(&served);
    let config = |delete: bool| {
        format!(
            "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\nport = {}\nusername = {USER}\n\
             password = {SECRET}\nca_certs = {}\n\n[destination]\ntype = MDA_external\npath = {}\nallow_root_commands = true\n\n\
             [options]\nread_all = false\ndelete = {delete}\ndelivered_to = false\nreceived = false\n",
            served.pop3s_port(),
            served.ca_path().display(),
            home.deliverer()
        )
    };
    home.write("getmailrc", &config(false));
    let folder = format!("--getmaildir={}", home.path.display());
    let arguments = ["getmail", folder.as_str(), "--rcfile=getmailrc"];
    home.run(&arguments, &[0]);
    home.assert_has_bodies(&mails);
    home.run(&arguments, &[0]);
    home.assert_has_bodies(&mails);
    assert_eq!(served.dump().count(), mails.len(), "kept on the server");

    let new: Vec<Mail> = generate(77, 3, 2_000).collect();
    served.fill("INBOX", new.clone());
    mails.extend(new);
    home.write("getmailrc", &config(true));
    home.run(&arguments, &[0]);
    home.assert_has_bodies(&mails);
    assert_eq!(served.dump().count(), 0, "deleted, what it had fetched before too");
    served.finish();
}

/// Real mail, in INBOX.
fn fill(served: &Served) -> Vec<Mail> {
    let mails: Vec<Mail> = real_mail(40).collect();
    served.fill("INBOX", mails.clone());
    mails
}

/// The client's home, with a Maildir to deliver to.
struct Home {
    path: PathBuf,
    mail: PathBuf,
}

impl Home {
    fn new(served: &Served) -> Self {
        let path = served.folder().join("home");
        let mail = path.join("mail");
        for part in ["new", "cur", "tmp"] {
            fs::create_dir_all(mail.join(part)).expect("own folder");
        }
        Self { path, mail }
    }

    /// A file that only its owner may read: it holds a password.
    fn write(&self, name: &str, text: &str) {
        let path: &Path = &self.path.join(name);
        fs::write(path, text).expect("own folder");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("own file");
    }

    /// A program that makes what it reads a file of the Maildir.
    fn deliverer(&self) -> String {
        let script = "#!/bin/sh\nset -e\nfile=$(mktemp \"$HOME/mail/new/XXXXXXXX\")\nexec cat >\"$file\"\n";
        self.write("deliver", script);
        let path = self.path.join("deliver");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("own file");
        path.display().to_string()
    }

    fn run(&self, command: &[&str], codes: &[i32]) {
        let mut run = bounded(command[0]);
        run.args(&command[1..]).env("HOME", &self.path).env("FETCHMAILHOME", &self.path);
        let output = run.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(
            output.status.code().is_some_and(|code| codes.contains(&code)),
            "{command:?}: {}: {said}",
            output.status
        );
    }

    /// The Maildir holds each of these once, to the byte, and no more.
    fn assert_has(&self, mails: &[Mail]) {
        let mut there: Vec<String> = mails.iter().map(|mail| maildir::hash(&mail.bytes)).collect();
        there.sort();
        let mut here: Vec<String> = maildir::messages(&self.mail).into_iter().map(|m| m.sha256).collect();
        here.sort();
        assert_eq!(here, there);
    }

    /// The same of the bodies alone: getmail writes headers anew.
    fn assert_has_bodies(&self, mails: &[Mail]) {
        let mut there: Vec<String> = mails.iter().map(|mail| maildir::hash(body(&mail.bytes))).collect();
        there.sort();
        let files = maildir::read(&self.mail).into_keys();
        let texts = files.map(|file| crlf(&fs::read(file).expect("own file")));
        let mut here: Vec<String> = texts.map(|text| maildir::hash(body(&text))).collect();
        here.sort();
        assert_eq!(here, there);
    }
}

fn body(text: &[u8]) -> &[u8] {
    let at = text.windows(4).position(|window| window == b"\r\n\r\n").expect("a header and a body");
    &text[at + 4..]
}
