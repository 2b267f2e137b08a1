//! What an IMAP client believes of a mailbox from what it heard, and that nothing it hears is at odds with that.

use mailkeep::imap::fetch::FetchAttr;
use mailkeep::imap::parse;
use mailkeep::imap::response::{Code, Data, Response, StatusKind};
use mailkeep::limits::Limits;
use mailkeep::wire::{Framer, Piece};

/// Each message's UID and flags, where they were told.
#[derive(Debug, Default)]
pub struct Belief {
    pub messages: Vec<(Option<u32>, Option<String>)>,
    highest_uid: u32,
    last_modseq: u64,
}

impl Belief {
    /// Hears whole responses, none of them BAD; with `numbers_in_use`, no expunge may be among them.
    pub fn hear(&mut self, octets: &[u8], numbers_in_use: bool) {
        let mut framer = Framer::new(&Limits::DEFAULT, usize::MAX);
        let mut input = octets;
        while let Some(piece) = framer.next(&mut input).expect("it can be framed") {
            let Piece::Response(frame) = piece else { continue };
            match parse::response(frame).unwrap_or_else(|e| panic!("{e}: {}", frame.text.escape_ascii())) {
                Response::Data(data) => self.data(&data, numbers_in_use),
                Response::Status(status) => {
                    assert!(!matches!(status.kind, StatusKind::Bad), "{status:?}");
                    if let Some(Code::HighestModSeq(modseq)) = status.code {
                        assert!(modseq >= self.last_modseq, "mod-sequences never fall");
                        self.last_modseq = modseq;
                    }
                }
                Response::Continuation(_) => {}
            }
        }
        assert!(input.is_empty() && framer.is_between_responses(), "whole responses");
    }

    fn data(&mut self, data: &Data<'_>, numbers_in_use: bool) {
        match data {
            Data::Exists(count) => {
                assert!(*count as usize >= self.messages.len(), "only an expunge takes messages away");
                self.messages.resize(*count as usize, (None, None));
            }
            Data::Expunge(seq) => {
                assert!(!numbers_in_use, "no expunge while numbers are in use");
                self.messages.remove(*seq as usize - 1);
            }
            Data::Vanished { earlier: false, uids } => {
                assert!(!numbers_in_use, "no expunge while numbers are in use");
                for (low, high) in uids.ranges() {
                    self.messages.retain(|(uid, _)| uid.is_none_or(|uid| uid < low || uid > high));
                }
            }
            Data::Fetch(fetch) => {
                let place = &mut self.messages[fetch.seq as usize - 1];
                for attr in fetch.attrs {
                    match attr {
                        FetchAttr::Uid(uid) => {
                            assert!(place.0.is_none_or(|known| known == uid), "a number is one message");
                            place.0 = Some(uid);
                            self.highest_uid = self.highest_uid.max(uid);
                        }
                        FetchAttr::Flags(flags) => {
                            let mut words: Vec<_> =
                                flags.iter().map(|w| String::from_utf8_lossy(w).into_owned()).collect();
                            words.retain(|word| word != "\\Recent");
                            words.sort();
                            place.1 = Some(words.join(" "));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// Changed flags that it was not told of: it made them itself.
    pub fn forget_flags(&mut self) {
        self.messages.iter_mut().for_each(|(_, flags)| *flags = None);
    }

    /// Whether a UID is unknown: VANISHED says nothing to a client that does not know which message that is.
    pub fn lacks_uids(&self) -> bool {
        self.messages.iter().any(|(uid, _)| uid.is_none())
    }

    /// Holds it against what is there: all messages, in order, and the flags that were told.
    pub fn assert_true(&self, rows: &[(u32, String)]) {
        assert_eq!(self.messages.len(), rows.len());
        for (believed, (uid, flags)) in self.messages.iter().zip(rows) {
            assert_eq!(believed.0, Some(*uid));
            // Flags of new messages are not told unless asked.
            assert!(believed.1.as_ref().is_none_or(|told| told == flags), "{believed:?} is {flags}");
        }
    }
}
