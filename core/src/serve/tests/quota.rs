//! QUOTA (RFC 9208): what is told of it, and what is refused.

use super::*;

#[test]
fn without_a_limit_there_is_no_root() {
    let (users, _) = users();
    let mut client = [Client::signed_in(&users)];
    play(
        &mut client,
        "C: a GETQUOTAROOT INBOX
         S: * QUOTAROOT INBOX
         S: a OK done
         C: b GETQUOTA \"\"
         S: b NO [NONEXISTENT] no such quota root
         C: c GETQUOTAROOT None
         S: c NO [NONEXISTENT] no such mailbox
         C: d SETQUOTA \"\" (STORAGE 5)
         S: d NO [NOPERM] quotas are not yours to set",
    );
}

#[test]
fn octets() {
    let (users, mail) = users();
    let mut client = [Client::signed_in(&users)];
    mail.set_limit(4_096);
    put(&mail, "INBOX", &[], &"x".repeat(3_000));
    play(
        &mut client,
        "C: a GETQUOTAROOT INBOX
         S: * QUOTAROOT INBOX \"\"
         S: * QUOTA \"\" (STORAGE 3 4)
         S: a OK done
         C: b GETQUOTA \"\"
         S: * QUOTA \"\" (STORAGE 3 4)
         S: b OK done
         C: c GETQUOTA other
         S: c NO [NONEXISTENT] no such quota root
         C: d APPEND INBOX {2000}
         S: d NO [OVERQUOTA] there is no room for it
         C: e SETQUOTA \"\" (STORAGE 5)
         S: e NO [NOPERM] quotas are not yours to set
         C: f SELECT INBOX
         S: …
         C: g COPY 1 INBOX
         S: g NO [OVERQUOTA] there is no room for it
         C: h CREATE Other
         S: …
         C: i MOVE 1 Other
         S: * OK [COPYUID 1002 1 1] moved
         S: * 1 EXPUNGE
         S: i OK done
         C: j STATUS Other (DELETED DELETED-STORAGE)
         S: * STATUS Other (DELETED 0 DELETED-STORAGE 0)
         S: j OK done",
    );
}

#[test]
fn messages() {
    let (users, mail) = users();
    let mut client = [Client::signed_in(&users)];
    mail.set_message_limit(2);
    play(
        &mut client,
        r#"C: a GETQUOTA ""
         S: * QUOTA "" (MESSAGE 0 2)
         S: a OK done
         C: b APPEND INBOX {12+}
         C: Subject: a
         C:  {12+}
         C: Subject: b
         C:  {12+}
         C: Subject: c
         C:
         S: b NO [OVERQUOTA] there is no room for it
         C: c APPEND INBOX {12+}
         C: Subject: a
         C:  {12+}
         C: Subject: b
         C:
         S: c OK [APPENDUID 1001 1:2] done
         C: d GETQUOTA ""
         S: * QUOTA "" (MESSAGE 2 2)
         S: d OK done
         C: e APPEND INBOX {12}
         S: e NO [OVERQUOTA] there is no room for it
         C: f SELECT INBOX
         S: …
         C: g REPLACE 1 INBOX {12+}
         C: Subject: c
         C:
         S: * OK [APPENDUID 1001 3] appended
         S: * 1 EXPUNGE
         S: * 2 EXISTS
         S: * 2 RECENT
         S: g OK done"#,
    );
    // What was here before the limit stays, and may be taken away.
    mail.set_message_limit(1);
    play(
        &mut client,
        r#"C: a GETQUOTA ""
         S: * QUOTA "" (MESSAGE 2 1)
         S: a OK done
         C: b UID STORE 2 +FLAGS.SILENT (\Deleted)
         S: b OK done
         C: c EXPUNGE
         S: * 1 EXPUNGE
         S: c OK done
         C: d COPY 1 INBOX
         S: d NO [OVERQUOTA] there is no room for it"#,
    );
}
