//! Mailboxes: what there is, what is made of it, and what is said of it.

use super::*;

#[test]
fn listing() {
    let (users, _) = users();
    let mut client = [Client::signed_in(&users)];
    play(
        &mut client,
        r#"C: a LIST "" ""
           S: * LIST (\Noselect) "/" ""
           S: a OK done
           C: b CREATE Work/2024/ (USE (\Archive))
           S: b OK [MAILBOXID (F3)] done
           C: c CREATE Sent (USE (\Foo))
           S: c NO [USEATTR] that special use cannot be given
           C: d CREATE inbox
           S: d NO [ALREADYEXISTS] it exists already
           C: e CREATE "a//b"
           S: e NO [CANNOT] no mailbox can have that name
           C: f CREATE Entw&APw-rfe
           S: f OK [MAILBOXID (F4)] done
           C: g LIST "" *
           S: * LIST (\HasNoChildren) "/" Entw&APw-rfe
           S: * LIST (\HasNoChildren) "/" INBOX
           S: * LIST (\HasChildren) "/" Work
           S: * LIST (\HasNoChildren \Archive) "/" Work/2024
           S: g OK done
           C: h LIST Work/ %
           S: * LIST (\HasNoChildren \Archive) "/" Work/2024
           S: h OK done
           C: i LIST "" InBox
           S: * LIST (\HasNoChildren) "/" INBOX
           S: i OK done
           C: j SUBSCRIBE Work/2024
           S: j OK done
           C: k SUBSCRIBE Gone/Below
           S: k OK done
           C: l LSUB "" *
           S: * LSUB () "/" Gone/Below
           S: * LSUB () "/" Work/2024
           S: l OK done
           C: m LSUB "" %
           S: * LSUB (\Noselect) "/" Gone
           S: * LSUB (\Noselect) "/" Work
           S: m OK done
           C: n LIST (SUBSCRIBED) "" *
           S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" Gone/Below
           S: * LIST (\HasNoChildren \Subscribed \Archive) "/" Work/2024
           S: n OK done
           C: o LIST (SUBSCRIBED RECURSIVEMATCH) "" %
           S: * LIST (\NonExistent \HasChildren) "/" Gone ("CHILDINFO" ("SUBSCRIBED"))
           S: * LIST (\HasChildren) "/" Work ("CHILDINFO" ("SUBSCRIBED"))
           S: o OK done
           C: p LIST (SPECIAL-USE) "" ("I%" "W*") RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT SIZE))
           S: * LIST (\HasNoChildren \Subscribed \Archive) "/" Work/2024
           S: * STATUS Work/2024 (MESSAGES 0 UIDNEXT 1 SIZE 0)
           S: p OK done
           C: q UNSUBSCRIBE Work/2024
           S: q OK done
           C: r ENABLE IMAP4rev2
           S: * ENABLED IMAP4rev2
           S: r OK done
           C: s LIST "" E*
           S: * LIST (\HasNoChildren) "/" "Entwürfe"
           S: s OK done
           C: t STATUS "Entwürfe" (MESSAGES)
           S: * STATUS "Entwürfe" (MESSAGES 0)
           S: t OK done"#,
    );
}

#[test]
fn renaming_and_deleting() {
    let (users, mail) = users();
    five(&mail);
    let mut client = [Client::signed_in(&users)];
    play(
        &mut client,
        r#"C: a CREATE a/b
           S: a OK …
           C: b RENAME a z
           S: b OK done
           C: c LIST "" z*
           S: * LIST (\HasChildren) "/" z
           S: * LIST (\HasNoChildren) "/" z/b
           S: c OK done
           C: d RENAME z z/b/c
           S: d NO [CANNOT] a mailbox cannot go below itself
           C: e RENAME z INBOX
           S: e NO [ALREADYEXISTS] it exists already
           C: f RENAME nothing x
           S: f NO [NONEXISTENT] no such mailbox
           C: g RENAME INBOX old
           S: g OK done
           C: h STATUS INBOX (MESSAGES UNSEEN)
           S: * STATUS INBOX (MESSAGES 0 UNSEEN 0)
           S: h OK done
           C: i STATUS old (MESSAGES UNSEEN DELETED UIDNEXT UIDVALIDITY HIGHESTMODSEQ APPENDLIMIT MAILBOXID RECENT)
           S: * STATUS old (MESSAGES 5 UNSEEN 3 DELETED 0 UIDNEXT 6 UIDVALIDITY 1004 HIGHESTMODSEQ 2 APPENDLIMIT 1073741824 MAILBOXID (F4) RECENT 5)
           S: i OK done
           C: j SELECT old
           S: …
           C: k DELETE old
           S: k OK done
           C: l FETCH 1 FLAGS
           S: l BAD select a mailbox first
           C: m DELETE z
           S: m OK done
           C: n LIST "" z*
           S: * LIST (\Noselect \HasChildren) "/" z
           S: * LIST (\HasNoChildren) "/" z/b
           S: n OK done
           C: o SELECT z
           S: o NO [NONEXISTENT] no such mailbox
           C: p DELETE INBOX
           S: p NO [CANNOT] INBOX stays
           C: q STATUS &AGE- (MESSAGES)
           S: q NO [CANNOT] the name is not spelt as it should be"#,
    );
}

#[test]
fn selecting() {
    let (users, mail) = users();
    five(&mail);
    let mut client = [Client::signed_in(&users)];
    play(
        &mut client,
        r"C: a SELECT INBOX
          S: * FLAGS (\Seen \Answered \Flagged \Deleted \Draft $Forwarded $MDNSent $Junk $NotJunk $Phishing)
          S: * 5 EXISTS
          S: * 0 RECENT
          S: * OK [UNSEEN 1] the first that is not seen
          S: * OK [PERMANENTFLAGS (\Seen \Answered \Flagged \Deleted \Draft $Forwarded $MDNSent $Junk $NotJunk $Phishing \*)] flags that stay
          S: * OK [UIDVALIDITY 1001] UIDs are valid
          S: * OK [UIDNEXT 6] the next UID
          S: * OK [HIGHESTMODSEQ 6] the highest mod-sequence
          S: * OK [MAILBOXID (F1)] the mailbox's id
          S: a OK [READ-WRITE] it is open
          C: b EXAMINE INBOX
          S: * OK [CLOSED] the previous mailbox is closed
          S: * FLAGS …
          S: * 5 EXISTS
          S: * 0 RECENT
          S: * OK [UNSEEN 1] the first that is not seen
          S: * OK [PERMANENTFLAGS ()] flags that stay
          S: * OK [UIDVALIDITY 1001] UIDs are valid
          S: * OK [UIDNEXT 6] the next UID
          S: * OK [HIGHESTMODSEQ 6] the highest mod-sequence
          S: * OK [MAILBOXID (F1)] the mailbox's id
          S: b OK [READ-ONLY] it is open
          C: c STORE 1 FLAGS (\Seen)
          S: c NO [CANNOT] the mailbox is open read-only
          C: d EXPUNGE
          S: d NO [CANNOT] the mailbox is open read-only
          C: e FETCH 1 BODY[TEXT]
          S: * 1 FETCH (BODY[TEXT] {8}
          S: text 1
          S: )
          S: e OK done
          C: f FETCH 1 FLAGS
          S: * 1 FETCH (FLAGS ())
          S: f OK done
          C: g SELECT nothing
          S: * OK [CLOSED] the previous mailbox is closed
          S: g NO [NONEXISTENT] no such mailbox
          C: h UNSELECT
          S: h BAD select a mailbox first
          C: i ENABLE IMAP4rev2
          S: …
          C: j SELECT INBOX
          S: * FLAGS …
          S: * 5 EXISTS
          S: * OK [PERMANENTFLAGS …
          S: * OK [UIDVALIDITY 1001] UIDs are valid
          S: * OK [UIDNEXT 6] the next UID
          S: * OK [HIGHESTMODSEQ 6] the highest mod-sequence
          S: * OK [MAILBOXID (F1)] the mailbox's id
          S: * LIST () {q}/{q} INBOX
          S: j OK [READ-WRITE] it is open
          C: k UNSELECT
          S: k OK it is closed".replace("{q}", "\"").as_str(),
    );
}
