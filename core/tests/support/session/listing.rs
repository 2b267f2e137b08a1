//! LIST, LSUB and STATUS.

use super::super::model::{Folder, World};
use super::super::wire::Arg;
use super::{Answer, Session, quoted};

impl Session {
    pub(super) fn list(&mut self, args: &[Arg]) -> Answer {
        let (selection, args) = match args {
            [Arg::List(selection), args @ ..] => (selection.as_slice(), args),
            args => (&[][..], args),
        };
        let (reference, patterns, returns) = match args {
            [reference, patterns] => (reference, patterns, Vec::new()),
            [reference, patterns, word, list] if word.is("RETURN") => (reference, patterns, list.items()),
            _ => return Err("BAD LIST".into()),
        };
        if !selection.is_empty() || !returns.is_empty() || matches!(patterns, Arg::List(_)) {
            self.need("LIST-EXTENDED")?;
        }
        if matches!(patterns, Arg::Text(text) if text.is_empty()) {
            self.say("* LIST (\\Noselect) \"/\" \"\"".into());
            return Ok("listed".into());
        }
        let patterns: Vec<String> =
            patterns.items().iter().map(|p| format!("{}{}", reference.text(), p.text())).collect();
        let asks = |word: &str| returns.iter().any(|r| matches!(r, Arg::Atom(_)) && r.is(word));
        let only_subscribed = selection.iter().any(|s| s.is("SUBSCRIBED"));
        let (subscribed, special) = (asks("SUBSCRIBED") || only_subscribed, asks("SPECIAL-USE"));
        if special {
            self.need("SPECIAL-USE")?;
        }
        let items = returns.iter().position(|r| r.is("STATUS")).and_then(|at| returns.get(at + 1));
        if items.is_some() {
            self.need("LIST-STATUS")?;
        }
        let world = self.world.clone();
        let world = world.borrow();
        let listed = |f: &&Folder| {
            f.allows('l') && patterns.iter().any(|p| fits(p, &f.name)) && (f.subscribed || !only_subscribed)
        };
        for folder in world.boxes.iter().filter(listed) {
            let children = world.has_children(&folder.name);
            let mut attributes = vec![if children { "\\HasChildren" } else { "\\HasNoChildren" }];
            if !folder.selectable {
                attributes.push("\\Noselect");
            }
            if subscribed && folder.subscribed {
                attributes.push("\\Subscribed");
            }
            if let Some(usage) = folder.special_use.filter(|_| special) {
                attributes.push(usage);
            }
            self.say(format!("* LIST ({}) \"/\" {}", attributes.join(" "), quoted(&folder.name)));
            if let Some(items) = items.filter(|_| folder.selectable) {
                let line = self.status_line(&world, folder, &items.items())?;
                self.say(line);
            }
        }
        if only_subscribed {
            for ghost in world.ghosts.iter().filter(|g| patterns.iter().any(|p| fits(p, g))) {
                self.say(format!("* LIST (\\Subscribed \\NonExistent) \"/\" {}", quoted(ghost)));
            }
        }
        Ok("listed".into())
    }

    pub(super) fn lsub(&mut self, args: &[Arg]) -> Answer {
        let [reference, pattern] = args else { return Err("BAD LSUB".into()) };
        let pattern = format!("{}{}", reference.text(), pattern.text());
        let world = self.world.clone();
        let world = world.borrow();
        let subscribed = world.boxes.iter().filter(|b| b.subscribed).map(|b| &b.name);
        for name in subscribed.chain(&world.ghosts).filter(|n| fits(&pattern, n)) {
            self.say(format!("* LSUB () \"/\" {}", quoted(name)));
        }
        Ok("listed".into())
    }

    pub(super) fn status(&mut self, args: &[Arg]) -> Answer {
        let [name, items] = args else { return Err("BAD STATUS".into()) };
        let world = self.world.clone();
        let world = world.borrow();
        let folder = world.find(&name.text()).ok_or("NO [NONEXISTENT] no such mailbox")?;
        let line = self.status_line(&world, folder, &items.items())?;
        self.say(line);
        Ok("told".into())
    }

    fn status_line(&mut self, world: &World, folder: &Folder, items: &[Arg]) -> Result<String, String> {
        let mut told = Vec::new();
        for item in items.iter().map(|i| i.text().to_ascii_uppercase()) {
            let value = match item.as_str() {
                "MESSAGES" => folder.held.len().to_string(),
                "UIDNEXT" => folder.uid_next.to_string(),
                "UIDVALIDITY" => folder.uid_validity.to_string(),
                "UNSEEN" => folder.unseen().to_string(),
                "RECENT" => "0".into(),
                "HIGHESTMODSEQ" if world.has("CONDSTORE") => {
                    self.condstore = true;
                    folder.modseq.to_string()
                }
                "MAILBOXID" if world.has("OBJECTID") => format!("(F{})", folder.id),
                "SIZE" if world.has("STATUS=SIZE") => {
                    folder.held.iter().map(|m| m.raw.len()).sum::<usize>().to_string()
                }
                "APPENDLIMIT" if world.has("APPENDLIMIT") || world.append_limit().is_some() => {
                    world.append_limit().map_or("NIL".into(), |limit| limit.to_string())
                }
                _ => return Err(format!("BAD no STATUS item {item}")),
            };
            told.push(format!("{item} {value}"));
        }
        Ok(format!("* STATUS {} ({})", quoted(&folder.name), told.join(" ")))
    }
}

/// Whether a name fits a pattern of LIST: `*` is anything, `%` anything without a `/`.
fn fits(pattern: &str, name: &str) -> bool {
    let Some(at) = pattern.find(['*', '%']) else {
        return pattern == name || name == "INBOX" && pattern.eq_ignore_ascii_case(name);
    };
    let Some(rest) = name.strip_prefix(&pattern[..at]) else { return false };
    let level =
        if pattern[at..].starts_with('%') { rest.find('/').unwrap_or(rest.len()) } else { rest.len() };
    (0..=level).any(|skip| rest.is_char_boundary(skip) && fits(&pattern[at + 1..], &rest[skip..]))
}
