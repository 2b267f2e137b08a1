//! What is changed, and what others are told of it and when.

use super::*;

#[test]
fn storing() {
    let (users, mail) = users();
    five(&mail);
    let mut client = [Client::signed_in(&users)];
    play(
        &mut client,
        r"C: a SELECT INBOX
          S: …
          C: b STORE 1:2 +FLAGS (\Flagged Todo)
          S: * FLAGS (\Seen \Answered \Flagged \Deleted \Draft $Forwarded $MDNSent $Junk $NotJunk $Phishing Todo)
          S: * OK [PERMANENTFLAGS …
          S: * 1 FETCH (FLAGS (\Flagged Todo))
          S: * 2 FETCH (FLAGS (\Seen \Flagged Todo))
          S: b OK done
          C: c STORE 1 +FLAGS (todo)
          S: * 1 FETCH (FLAGS (\Flagged Todo))
          S: c OK done
          C: d UID STORE 1 -FLAGS.SILENT (Todo)
          S: d OK done
          C: e UID STORE 1 FLAGS \Draft
          S: * 1 FETCH (UID 1 FLAGS (\Draft))
          S: e OK done
          C: f UID STORE 99 +FLAGS (x)
          S: f OK done
          C: g STORE 1:3 (UNCHANGEDSINCE 7) +FLAGS (x)
          S: * OK [HIGHESTMODSEQ 9] the highest mod-sequence
          S: * FLAGS …
          S: * OK [PERMANENTFLAGS …
          S: * 2 FETCH (MODSEQ (10) FLAGS (\Seen \Flagged Todo x))
          S: * 3 FETCH (MODSEQ (10) FLAGS (x))
          S: g OK [MODIFIED 1] some had changed
          C: h STORE 1 +FLAGS.SILENT (y)
          S: * 1 FETCH (MODSEQ (11))
          S: h OK done
          C: i STORE 1 +FLAGS.SILENT (y)
          S: i OK done
          C: j FETCH 1:* (FLAGS) (CHANGEDSINCE 10)
          S: * FLAGS …
          S: * OK [PERMANENTFLAGS …
          S: * 1 FETCH (MODSEQ (11) FLAGS (\Draft y))
          S: j OK done",
    );
}

#[test]
fn moving_and_expunging() {
    let (users, mail) = users();
    five(&mail);
    let mut client = [Client::signed_in(&users)];
    play(
        &mut client,
        r"C: a SELECT INBOX
          S: …
          C: b COPY 1:2 Other
          S: b NO [TRYCREATE] no such mailbox
          C: c CREATE Other
          S: …
          C: d UID COPY 2:3 Other
          S: d OK [COPYUID 1002 2:3 1:2] done
          C: e MOVE 2,4 Other
          S: * OK [COPYUID 1002 2,4 3:4] moved
          S: * 4 EXPUNGE
          S: * 2 EXPUNGE
          S: e OK done
          C: f UID MOVE 77 Other
          S: f OK there was nothing to do
          C: g STORE 1:3 +FLAGS.SILENT (\Deleted)
          S: g OK done
          C: h UID EXPUNGE 3:5
          S: * 3 EXPUNGE
          S: * 2 EXPUNGE
          S: h OK done
          C: i ENABLE QRESYNC
          S: …
          C: j EXPUNGE
          S: * VANISHED 1
          S: j OK [HIGHESTMODSEQ 10] done
          C: k FETCH 1:* FLAGS
          S: k BAD there is no message with that number
          C: l COPY * Other
          S: l BAD there is no message with that number
          C: m SELECT Other
          S: …
          C: n STORE 1 +FLAGS.SILENT (\Deleted)
          S: * 1 FETCH (UID 1 MODSEQ (4))
          S: n OK done
          C: o CLOSE
          S: o OK [HIGHESTMODSEQ 5] it is closed
          C: p STATUS Other (MESSAGES)
          S: * STATUS Other (MESSAGES 3)
          S: p OK done",
    );
}

#[test]
fn two_sessions_see_each_other_when_they_may() {
    let (users, mail) = users();
    five(&mail);
    let mut clients = [Client::signed_in(&users), Client::signed_in(&users)];
    play(
        &mut clients,
        r"C: a SELECT INBOX
          S: …
          C2: a SELECT INBOX
          S2: …
          C: b STORE 3 +FLAGS (\Deleted)
          S: * 3 FETCH (FLAGS (\Deleted))
          S: b OK done
          C2: b FETCH 1 UID
          S2: * 1 FETCH (UID 1)
          S2: * 3 FETCH (FLAGS (\Deleted))
          S2: b OK done
          C: c EXPUNGE
          S: * 3 EXPUNGE
          S: c OK done
          C2: c FETCH 4 (UID)
          S2: * 4 FETCH (UID 4)
          S2: c OK done
          C2: d FETCH 3 (FLAGS)
          S2: d OK [EXPUNGEISSUED] done, but some of them are no longer here
          C2: e STORE 3 +FLAGS (\Seen)
          S2: e OK [EXPUNGEISSUED] done, but some of them are no longer here
          C2: f SEARCH ALL
          S2: * SEARCH 1 2 4 5
          S2: f OK done
          C2: g UID FETCH 5 (FLAGS)
          S2: * 5 FETCH (UID 5 FLAGS ())
          S2: * 3 EXPUNGE
          S2: g OK done
          C2: h FETCH 3 UID
          S2: * 3 FETCH (UID 4)
          S2: h OK done
          C2: i NOOP
          S2: i OK done
          C: d IDLE
          S: + idling
          C2: j STORE 1 +FLAGS.SILENT (\Answered)
          S2: j OK done
          S: * 1 FETCH (FLAGS (\Answered))
          C2: k UID COPY 1 INBOX
          S2: * 5 EXISTS
          S2: * 1 RECENT
          S2: k OK [COPYUID 1001 1 6] done
          C2: l UID MOVE 2 INBOX
          S2: * OK [COPYUID 1001 2 7] moved
          S2: * 2 EXPUNGE
          S2: * 5 EXISTS
          S2: * 2 RECENT
          S2: l OK done
          S: * 2 EXPUNGE
          S: * 5 EXISTS
          S: * 0 RECENT
          C: DONE
          S: d OK that was all
          C: e IDLE
          S: + idling
          C: NOOP
          S: e BAD DONE ends IDLE",
    );
}

#[test]
fn a_mailbox_that_is_deleted_under_a_session() {
    let (users, _) = users();
    let mut clients = [Client::signed_in(&users), Client::signed_in(&users)];
    play(
        &mut clients,
        "C: a CREATE x
         S: …
         C: b SELECT x
         S: …
         C2: a DELETE x
         S2: a OK done
         C: c NOOP
         S: * BYE the mailbox was deleted",
    );
    assert!(clients[0].session.is_closed());
}

#[test]
fn resynchronising() {
    let (users, mail) = users();
    five(&mail);
    let mut clients = [Client::signed_in(&users), Client::signed_in(&users)];
    play(
        &mut clients,
        r"C2: a SELECT INBOX
          S2: …
          C2: b STORE 2,4 +FLAGS.SILENT (\Deleted)
          S2: b OK done
          C2: c EXPUNGE
          S2: …
          C2: d STORE 1 +FLAGS.SILENT (\Flagged)
          S2: d OK done
          C: a SELECT INBOX (QRESYNC (1001 6))
          S: a BAD enable QRESYNC first
          C: b ENABLE QRESYNC
          S: * ENABLED QRESYNC
          S: b OK done
          C: c SELECT INBOX (QRESYNC (1001 6 1:5))
          S: * FLAGS …
          S: * 3 EXISTS
          S: * 0 RECENT
          S: * OK [UNSEEN 1] the first that is not seen
          S: * OK [PERMANENTFLAGS …
          S: * OK [UIDVALIDITY 1001] UIDs are valid
          S: * OK [UIDNEXT 6] the next UID
          S: * OK [HIGHESTMODSEQ 9] the highest mod-sequence
          S: * OK [MAILBOXID (F1)] the mailbox's id
          S: * VANISHED (EARLIER) 2,4
          S: * 1 FETCH (UID 1 MODSEQ (9) FLAGS (\Flagged))
          S: c OK [READ-WRITE] it is open
          C: d UID FETCH 1:* (FLAGS) (CHANGEDSINCE 6 VANISHED)
          S: * VANISHED (EARLIER) 2,4
          S: * 1 FETCH (UID 1 MODSEQ (9) FLAGS (\Flagged))
          S: d OK done
          C2: e UID STORE 5 +FLAGS (\Deleted)
          S2: * 3 FETCH (UID 5 FLAGS (\Deleted))
          S2: e OK done
          C2: f EXPUNGE
          S2: * 3 EXPUNGE
          S2: f OK done
          C: e NOOP
          S: * VANISHED 5
          S: e OK done",
    );
    // A store that has forgotten which went: all that could have been and are not here.
    mail.forget_expunges();
    play(
        &mut clients,
        r"C: f SELECT INBOX (QRESYNC (1001 6 1:4))
          S: * OK [CLOSED] the previous mailbox is closed
          S: * FLAGS …
          S: * 2 EXISTS
          S: * 0 RECENT
          S: * OK [UNSEEN 1] the first that is not seen
          S: * OK [PERMANENTFLAGS …
          S: * OK [UIDVALIDITY 1001] UIDs are valid
          S: * OK [UIDNEXT 6] the next UID
          S: * OK [HIGHESTMODSEQ 11] the highest mod-sequence
          S: * OK [MAILBOXID (F1)] the mailbox's id
          S: * VANISHED (EARLIER) 2,4
          S: * 1 FETCH (UID 1 MODSEQ (9) FLAGS (\Flagged))
          S: f OK [READ-WRITE] it is open",
    );
}
