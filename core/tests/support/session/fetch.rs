//! FETCH.

use super::super::mail::{entity, header_end, header_fields};
use super::super::model::Held;
use super::super::wire::{Arg, holds, internal_date, ranges};
use super::{Answer, Session, flag_text};

impl Session {
    pub(super) fn fetch(&mut self, args: &[Arg], by_uid: bool) -> Answer {
        let (set, items, modifiers) = match args {
            [set, items] => (set.text(), items.items(), Vec::new()),
            [set, items, modifiers] => (set.text(), items.items(), modifiers.items()),
            _ => return Err("BAD FETCH".into()),
        };
        let folder = self.open_folder()?;
        let since = modifiers
            .iter()
            .position(|m| m.is("CHANGEDSINCE"))
            .and_then(|at| modifiers.get(at + 1)?.text().parse::<u64>().ok());
        if since.is_some() {
            self.need("CONDSTORE")?;
            self.condstore = true;
        }
        let asked = |word: &str| items.iter().any(|i| i.is(word));
        if asked("MODSEQ") {
            self.need("CONDSTORE")?;
            self.condstore = true;
        }
        if asked("EMAILID") {
            self.need("OBJECTID")?;
        }
        let uids = self.view.as_ref().map(|v| v.uids.clone()).unwrap_or_default();
        let last = if by_uid { uids.last().copied().unwrap_or(0) } else { uids.len() as u32 };
        let wanted = ranges(&set, last);
        if modifiers.iter().any(|m| m.is("VANISHED"))
            && let Some(since) = since
        {
            self.earlier(&folder, since, Some(&wanted));
        }
        for (at, uid) in uids.iter().enumerate() {
            let number = if by_uid { *uid } else { at as u32 + 1 };
            let Some(held) = folder.held.iter().find(|m| m.uid == *uid) else { continue };
            if !holds(&wanted, number) || since.is_some_and(|since| held.modseq <= since) {
                continue;
            }
            let mut items = items.clone();
            if by_uid && !asked("UID") {
                items.insert(0, Arg::Atom("UID".into()));
            }
            if since.is_some() && !asked("MODSEQ") {
                items.push(Arg::Atom("MODSEQ".into()));
            }
            let line = self.message_line(at as u32 + 1, held, &items)?;
            self.said.push(line);
            if asked("FLAGS")
                && let Some(view) = &mut self.view
            {
                view.flags.insert(*uid, held.modseq);
            }
        }
        self.flush();
        self.updates(by_uid);
        Ok("fetched".into())
    }

    fn message_line(&mut self, seq: u32, held: &Held, items: &[Arg]) -> Result<Vec<u8>, String> {
        let mut line = format!("* {seq} FETCH (").into_bytes();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                line.push(b' ');
            }
            let item = item.text();
            match item.to_ascii_uppercase().as_str() {
                "UID" => line.extend(format!("UID {}", held.uid).bytes()),
                "FLAGS" => line.extend(format!("FLAGS ({})", flag_text(held)).bytes()),
                "MODSEQ" => line.extend(format!("MODSEQ ({})", held.modseq).bytes()),
                "EMAILID" => line.extend(format!("EMAILID (M{})", held.email_id).bytes()),
                "RFC822.SIZE" => line.extend(format!("RFC822.SIZE {}", held.raw.len()).bytes()),
                "INTERNALDATE" => {
                    line.extend(format!("INTERNALDATE \"{}\"", internal_date(held.internal_ms)).bytes());
                }
                "BODYSTRUCTURE" => {
                    let structure = entity(&held.raw, 0..held.raw.len()).structure(&held.raw);
                    line.extend(format!("BODYSTRUCTURE {structure}").bytes());
                }
                _ => {
                    let section = self.section(held, &item)?;
                    line.extend(section);
                }
            }
        }
        line.extend_from_slice(b")\r\n");
        Ok(line)
    }

    /// `BODY.PEEK[…]<origin.length>`
    fn section(&mut self, held: &Held, item: &str) -> Result<Vec<u8>, String> {
        let bad = || format!("BAD no FETCH item {item}");
        let inside = item.strip_prefix("BODY.PEEK[").ok_or_else(bad)?;
        let (section, partial) = inside.rsplit_once(']').ok_or_else(bad)?;
        let mut bytes = if section.is_empty() {
            held.raw.to_vec()
        } else if section == "HEADER" {
            held.raw[..header_end(&held.raw)].to_vec()
        } else if section == "TEXT" {
            held.raw[header_end(&held.raw)..].to_vec()
        } else if let Some(fields) = section.strip_prefix("HEADER.FIELDS (") {
            let names: Vec<String> =
                fields.trim_end_matches(')').split(' ').map(|f| f.to_ascii_uppercase()).collect();
            header_fields(&held.raw, &names)
        } else {
            let numbers: Vec<usize> = section.split('.').map(|n| n.parse().unwrap_or(0)).collect();
            let whole = entity(&held.raw, 0..held.raw.len());
            whole.part(&numbers).map(|part| held.raw[part.body.clone()].to_vec()).ok_or_else(bad)?
        };
        let mut origin = String::new();
        if let Some(range) = partial.strip_prefix('<').and_then(|p| p.strip_suffix('>')) {
            let (from, len) = range.split_once('.').ok_or_else(bad)?;
            let (from, len): (usize, usize) =
                (from.parse().map_err(|_| bad())?, len.parse().map_err(|_| bad())?);
            origin = format!("<{from}>");
            bytes = bytes.into_iter().skip(from).take(len).collect();
        }
        let mut world = self.world.borrow_mut();
        world.sections += 1;
        if section.is_empty() {
            world.body_octets += bytes.len() as u64;
        }
        let mut out = format!("BODY[{section}]{origin} {{{}}}\r\n", bytes.len()).into_bytes();
        out.extend(bytes);
        Ok(out)
    }
}
