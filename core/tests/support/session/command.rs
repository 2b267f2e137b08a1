//! A command that was read: written down, run or let go wrong, answered.

use super::super::model::{Fault, Then};
use super::super::wire::{Arg, Literals};
use super::{Answer, Session, State};

impl Session {
    pub(super) fn command(&mut self, raw: &[u8], args: Vec<Arg>, literals: Literals) {
        let [tag, verb, rest @ ..] = args.as_slice() else {
            self.violation("no command");
            return self.say("* BAD no command".into());
        };
        let tag = tag.text();
        self.verb = verb.text().to_ascii_uppercase();
        let mut rest = rest;
        if self.verb == "UID"
            && let [sub, more @ ..] = rest
        {
            self.verb = format!("UID {}", sub.text().to_ascii_uppercase());
            rest = more;
        }
        self.write_down(raw, &args, literals.octets);
        let verb = self.verb.clone();
        let answer = match self.literals_offered(literals) {
            Err(refused) => Some(Err(refused)),
            Ok(()) => self.run_or_fail(&tag, &verb, rest),
        };
        if let Some(answer) = answer {
            self.answer(&tag, answer);
        }
        self.flush();
    }

    fn write_down(&mut self, raw: &[u8], args: &[Arg], literals: usize) {
        let text = if literals > 60 {
            args.iter().map(Arg::shown).collect::<Vec<_>>().join(" ")
        } else {
            String::from_utf8_lossy(raw).trim_end().to_owned()
        };
        let logged = text.split_once(' ').map_or("", |(_, command)| command).to_owned();
        self.world.borrow_mut().log.push(if self.verb == "LOGIN" { "LOGIN".into() } else { logged });
        if raw.len() - literals > 8192 {
            self.violation("too long a line");
        }
    }

    /// Literals that the server did not ask for need LITERAL+, or LITERAL- for small ones (RFC 7888).
    fn literals_offered(&self, literals: Literals) -> Result<(), String> {
        if let Some(size) = literals.loose
            && !self.has("LITERAL+")
            && !(self.has("LITERAL-") && size <= 4096)
        {
            self.violation("LITERAL+ was not offered");
        }
        if literals.binary && !self.has("BINARY") && !self.has("UTF8=ACCEPT") {
            self.violation("BINARY was not offered");
            return Err("BAD no literal8 here".into());
        }
        if literals.nul {
            self.violation("NUL in a literal");
            return Err("BAD NUL in a literal".into());
        }
        Ok(())
    }

    /// Runs a command, or lets go wrong what is to.
    fn run_or_fail(&mut self, tag: &str, verb: &str, args: &[Arg]) -> Option<Answer> {
        let fault = if self.signed_in { self.world.borrow_mut().trouble.next_fault(verb) } else { None };
        match fault.clone() {
            None => return self.run(tag, verb, args),
            Some(Fault::Answer(text)) => return Some(Err(text)),
            Some(Fault::CutBefore) => {}
            Some(Fault::CutAfter) => {
                self.flush();
                let sent = (self.sent, self.output.len());
                let _ = self.run(tag, verb, args);
                self.said.clear();
                // What the command said on its way is lost too.
                self.output.truncate(sent.1);
                self.sent = sent.0;
            }
            Some(Fault::CutBeforeAnswer) => {
                let _ = self.run(tag, verb, args);
                self.flush();
            }
            Some(Fault::Partly(_, Then::Answer(text)) | Fault::CopiedOnly(Then::Answer(text)))
                if !goes_by_message(verb) =>
            {
                return Some(Err(text));
            }
            Some(Fault::Partly(..) | Fault::CopiedOnly(_)) => {
                self.copies_only = matches!(fault, Some(Fault::CopiedOnly(_)));
                self.partly = match fault {
                    Some(Fault::Partly(messages, then)) => Some((messages, then)),
                    Some(Fault::CopiedOnly(then)) => Some((usize::MAX, then)),
                    _ => None,
                };
                let answer = self.run(tag, verb, args);
                self.copies_only = false;
                if !matches!(self.partly.take(), Some((_, Then::Cut))) {
                    return answer;
                }
                self.flush();
            }
        }
        self.cut_off();
        None
    }

    pub(super) fn answer(&mut self, tag: &str, answer: Answer) {
        match answer {
            Ok(text) => self.say(format!("{tag} OK {text}")),
            Err(text) => self.say(format!("{tag} {text}")),
        }
        self.flush();
    }

    fn run(&mut self, tag: &str, verb: &str, args: &[Arg]) -> Option<Answer> {
        let early = matches!(verb, "CAPABILITY" | "LOGIN" | "AUTHENTICATE" | "NOOP" | "LOGOUT" | "ID");
        if !early && !self.signed_in {
            // No fault: it may have been sent along with a login that was refused.
            return Some(Err("BAD sign in first".into()));
        }
        let by_uid = verb.starts_with("UID ");
        Some(match verb {
            "CAPABILITY" => {
                let words = self.world.borrow().capabilities.join(" ");
                self.say(format!("* CAPABILITY {words}"));
                Ok("that is all".into())
            }
            "NOOP" | "CHECK" => {
                self.updates(true);
                Ok("nothing done".into())
            }
            "LOGOUT" => {
                self.say("* BYE good bye".into());
                self.answer(tag, Ok("signed out".into()));
                self.closed = true;
                return None;
            }
            "LOGIN" => match args {
                [user, password] => self.sign_in(&user.text(), &password.text()),
                _ => Err("BAD LOGIN".into()),
            },
            "AUTHENTICATE" => return self.authenticate(tag, args),
            "ID" => self.need("ID").map(|()| {
                self.say("* ID (\"name\" \"Model\" \"version\" \"1\")".into());
                "that is who".into()
            }),
            "ENABLE" => self.enable(args),
            "LIST" => self.list(args),
            "LSUB" => self.lsub(args),
            "STATUS" => self.status(args),
            "SELECT" | "EXAMINE" => self.select(args, verb == "EXAMINE"),
            "FETCH" | "UID FETCH" => self.fetch(args, by_uid),
            "SEARCH" | "UID SEARCH" => self.search(tag, args, by_uid),
            "STORE" | "UID STORE" => self.store(args, by_uid),
            "COPY" | "UID COPY" => self.copy(args, by_uid),
            "MOVE" | "UID MOVE" => self.move_messages(args, by_uid),
            "EXPUNGE" | "UID EXPUNGE" => self.expunge(args, by_uid),
            "APPEND" => self.append(args),
            "REPLACE" | "UID REPLACE" => self.replace(args, by_uid),
            "CREATE" => self.create(args),
            "DELETE" => self.delete(args),
            "RENAME" => self.rename(args),
            "SUBSCRIBE" => self.subscribe(args, true),
            "UNSUBSCRIBE" => self.subscribe(args, false),
            "MYRIGHTS" => self.my_rights(args),
            "NAMESPACE" => self.namespace(),
            "GETQUOTA" => self.quota(args, false),
            "GETQUOTAROOT" => self.quota(args, true),
            "CLOSE" => self.close(),
            "IDLE" => {
                if let Err(refused) = self.need("IDLE") {
                    return Some(Err(refused));
                }
                self.said.push(b"+ idling\r\n".to_vec());
                self.state = State::Idling(tag.to_owned());
                self.updates(true);
                return None;
            }
            "UNSELECT" => self.need("UNSELECT").map(|()| {
                self.view = None;
                "closed".into()
            }),
            _ => {
                self.violation("unknown command");
                Err("BAD unknown command".into())
            }
        })
    }

    /// Where the command is to be done by half: cuts the list down, and gives the answer then.
    pub(super) fn shorten<T>(&mut self, list: &mut Vec<T>) -> Option<String> {
        let (messages, then) = self.partly.take()?;
        list.truncate(messages);
        Some(match then {
            Then::Answer(text) => text,
            Then::Cut => {
                self.partly = Some((0, Then::Cut));
                String::new()
            }
        })
    }

    /// Needs a capability; its lack is the client's fault.
    pub(super) fn need(&self, capability: &str) -> Result<(), String> {
        if self.has(capability) {
            return Ok(());
        }
        self.violation(&format!("{capability} was not offered"));
        Err("BAD not offered".into())
    }
}

/// Whether a command does something to one message after another, and so can be done by half.
fn goes_by_message(verb: &str) -> bool {
    let plain = verb.strip_prefix("UID ").unwrap_or(verb);
    ["STORE", "COPY", "MOVE", "EXPUNGE", "CLOSE", "APPEND", "REPLACE"].contains(&plain)
}
