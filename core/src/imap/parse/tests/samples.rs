//! Responses from the RFCs' examples, one of each kind and some long ones.

/// RFC 9051, 3501, 7162, 4731, 9394, 4315, 8474, 8438, 9208, 2971, 2342, 4314, 5258, 8970, 8514, 3516.
pub(super) const RFC: &[&str] = &[
    "* OK IMAP4rev2 server ready",
    "* OK [ALERT] System shutdown in 10 minutes",
    "* PREAUTH IMAP4rev2 server logged in as Smith",
    "* BYE Autologout; idle for too long",
    "* BAD Disk crash, attempting salvage to a new disk!",
    "* NO [BADCHARSET (US-ASCII \"UTF-8\")] x",
    "A222 NO COPY failed: disk is 98% full",
    "b OK [NONEXISTENT] x",
    "+ Ready for additional command text",
    "+ YGgGCSqGSIb3EgECAgIAb1kwV6ADAgEFoQMCAQ+iSzBJoAMCAQ==",
    "* CAPABILITY STARTTLS AUTH=GSSAPI IMAP4rev2 LOGINDISABLED XPIG-LATIN",
    "* ENABLED CONDSTORE X-GOOD-IDEA",
    "* LIST (\\Noselect) \"/\" ~/Mail/foo",
    "* LIST (\\Marked \\Drafts) \"/\" \"Entw&APw-rfe\"",
    "* LIST (\\NonExistent) \"/\" \"Foo\" (\"CHILDINFO\" (\"SUBSCRIBED\"))",
    "* LIST () \"/\" \"INBOX\" (\"OLDNAME\" (\"inbox\"))",
    "* LSUB () \".\" #news.comp.mail.misc",
    "* NAMESPACE ((\"\" \"/\")(\"#mh/\" \"/\" \"X-PARAM\" (\"FLAG1\" \"FLAG2\"))) ((\"~\" \"/\")) ((\"#shared/\" \"/\"))",
    "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)",
    "* STATUS \"Foo bar\" (SIZE 44421 HIGHESTMODSEQ 7011231777 MAILBOXID (F2212ea87))",
    "* ESEARCH (TAG \"h\") UID COUNT 17 ALL 4:18,21,28",
    "* ESEARCH (TAG \"a567\") UID COUNT 5 ALL 4:19,21,28",
    "* ESEARCH (TAG \"A01\") UID PARTIAL (-1:-100 1:5,23)",
    "* ESEARCH (TAG \"a\") ALL 1:3,5 MODSEQ 1236",
    "* SEARCH 2 3 6",
    "* SEARCH 2 5 6 7 11 12 18 19 20 23 (MODSEQ 917162500)",
    "* SORT 2 84 882",
    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
    "* 23 EXISTS",
    "* 5 RECENT",
    "* 44 EXPUNGE",
    "* VANISHED (EARLIER) 300:310,405,411",
    "* OK [CLOSED] Previous mailbox is now closed",
    "d105 OK [MODIFIED 7,9] Conditional STORE failed",
    "A003 OK [APPENDUID 38505 3955] APPEND completed",
    "A004 OK [COPYUID 38505 304,319:320 3956:3958] Done",
    "* OK [PERMANENTFLAGS (\\Deleted \\Seen \\*)] Limited",
    "* QUOTA \"\" (STORAGE 10 512)",
    "* QUOTAROOT comp.mail.mime",
    "* ID (\"name\" \"Cyrus\" \"version\" \"1.5\" \"os\" \"sunos\" \"support-url\" NIL)",
    "* MYRIGHTS INBOX rwiptsldaex",
    "* ACL INBOX Fred rwipslda",
    "* METADATA \"INBOX\" (/private/comment \"My own comment\")",
    "* 23 FETCH (FLAGS (\\Seen) RFC822.SIZE 44827)",
    "* 23 FETCH (FLAGS (\\Seen) UID 4827313 MODSEQ (20020329232307))",
    "* 12 FETCH (BODY[HEADER] {6}\r\nDate: )",
    "* 1 FETCH (UID 9 BODY[]<512> \"abc\" BODY[HEADER.FIELDS (\"a]\" B)] NIL BINARY.SIZE[1] 17 BINARY[1] ~{3}\r\na\u{0}b)",
    "* 3 FETCH (EMAILID (M6d99ac3275bb4e) THREADID NIL PREVIEW \"Hi\" SAVEDATE \"28-Feb-2015 00:00:00 +0000\")",
    "* 4 FETCH (X-GM-THRID 1278455344230334865 X-GM-MSGID 12 X-GM-LABELS (\\Inbox \"a)b\" x) X-NEW (a (b \")\")) UID 5)",
    ENVELOPE,
    TEXT,
    MIXED,
    FORWARDED,
];

/// RFC 9051 §8.
pub(super) const ENVELOPE: &str = "* 12 FETCH (FLAGS (\\Seen) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 4286 \
    ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" \
    ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
    ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) \
    ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
    \"<B27397-0100000@cac.washington.edu>\") BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92))";

/// A text with extension data.
pub(super) const TEXT: &str = "* 1 FETCH (UID 7 BODYSTRUCTURE (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" \
    2279 48 NIL (\"inline\" NIL) (\"en\" \"de\") NIL (1 (2) \"x\")))";

/// RFC 9051 §7.5.2, with an alternative inside.
pub(super) const MIXED: &str = "* 2 FETCH (UID 8 BODYSTRUCTURE (((\"text\" \"plain\" NIL NIL NIL \"7bit\" 10 1)\
    (\"text\" \"html\" NIL \"<h@x>\" \"desc\" \"base64\" 20 2) \"alternative\" (\"boundary\" \"b\") NIL NIL)\
    (\"application\" \"pdf\" (\"name\" \"n.pdf\") NIL NIL \"base64\" 30 NIL (\"attachment\" (\"filename\" \"f \\\"1\\\".pdf\")) NIL) \
    \"mixed\" (\"boundary\" \"c\") NIL \"en\" \"loc\") FLAGS ())";

/// The numbers of RFC 9051 §6.4.5.1: a forwarded message with parts, and one without.
pub(super) const FORWARDED: &str = "* 3 FETCH (UID 9 BODYSTRUCTURE ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)\
    (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 50 (NIL \"inner\" NIL NIL NIL NIL NIL NIL NIL \"<i@x>\") \
    (\"text\" \"plain\" NIL NIL NIL \"7bit\" 5 1) 3 NIL (\"attachment\" (\"filename\" \"a.eml\")))\
    (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 60 (NIL \"outer\" NIL NIL NIL NIL NIL NIL NIL NIL) \
    ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 6 1)(\"image\" \"gif\" NIL NIL NIL \"base64\" 7) \"related\") 9) \"mixed\"))";
