//! NeoMutt, whose keys are pressed for it in a terminal of its own.

use std::fs;

use mailkeep_tests::corpus::generate;
use mailkeep_tests::imap::Mail;
use mailkeep_tests::served::{SECRET, Served, USER, bounded};
use mailkeep_tests::server::run;

use crate::maildir::hash;

#[test]
fn reads_flags_and_saves() {
    let served = Served::start("neomutt");
    let mails: Vec<Mail> = generate(8, 12, 2_000).map(|mail| Mail { flags: Vec::new(), ..mail }).collect();
    served.fill("INBOX", mails.clone());
    let folder = served.folder();
    let (port, ca) = (served.imap_port(), served.ca_path());
    let config = format!(
        "set imap_user={USER} imap_pass={SECRET} ssl_starttls=yes ssl_force_tls=yes ssl_usesystemcerts=no\n\
         set certificate_file={} folder=imap://localhost:{port}/ spoolfile=+INBOX record='' sort=mailbox-order\n\
         set confirmappend=no confirmcreate=no delete=yes quit=yes wait_key=no move=no mark_old=no\n\
         push \"<jump>3<enter><display-message><exit><flag-message><jump>5<enter><save-message>=Saved<enter>\
         <sync-mailbox><quit>\"\n",
        ca.display()
    );
    let file = folder.join("neomuttrc");
    fs::write(&file, config).expect("own folder");
    let command = format!("neomutt -F {}", file.display());
    let mut script = bounded("script");
    script.args(["--quiet", "--return", "--command", &command]).arg(folder.join("screen"));
    run(script.env("HOME", folder).env("TERM", "xterm"));

    let dump = served.dump();
    let inbox = &dump.mailboxes["INBOX"].messages;
    let flags = |uid: u64| inbox[&uid].flags.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(
        dump.uids("INBOX"),
        [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12],
        "what was saved elsewhere is gone here"
    );
    assert_eq!(flags(3), ["\\flagged", "\\seen"]);
    assert_eq!(flags(4), Vec::<&str>::new());
    let saved: Vec<&str> = dump.mailboxes["Saved"].messages.values().map(|m| m.sha256.as_str()).collect();
    assert_eq!(saved, [hash(&mails[4].bytes)]);
    served.finish();
}
