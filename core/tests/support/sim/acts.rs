//! What a person does at a device, offline or not.

use mailkeep::{
    Draft, Error, FlagChange, MailboxId, MailboxInfo, MailboxKind, MessageId, MessageRow, NewMailbox,
    OperationKind, OperationState, Role,
};

use super::Sim;
use super::device::{Wish, letter};
use super::ledger::{Deed, Party};
use super::others::{FLAGS, NAMES};

/// How a call ended.
enum Ended<T> {
    Well(T),
    /// Refused: nothing was done.
    Badly,
    /// With the power: it was done or not.
    Unsure,
}

impl Sim {
    /// A person does one thing.
    pub fn act(&mut self, number: usize) {
        // In the middle of a sync something may have been set aside that this makes be forgotten.
        self.note_set_aside(number);
        if self.setup.crashes && self.dice.below(15) == 0 {
            let at = self.dice.below(10);
            self.devices[number].disk.crash_at(at);
        }
        match self.dice.below(100) {
            0..20 => self.flags(number),
            20..38 => self.moves(number),
            38..46 => self.copies(number),
            46..53 => self.deletes(number),
            53..59 => self.expunges(number),
            59..62 => self.archives(number),
            62..71 => self.appends(number),
            71..77 => self.saves_again(number),
            77..80 => self.reads_all(number),
            80..81 => self.empties(number),
            81..85 => self.creates(number),
            85..89 => self.renames(number),
            89..91 => self.deletes_mailbox(number),
            91..94 => self.subscribes(number),
            94..98 => self.takes_back(number),
            _ => self.tries_again(number),
        }
        if self.devices[number].disk.has_crashed() {
            self.recover(number);
        } else {
            self.devices[number].disk.crash_at(u64::MAX / 2);
        }
        if self.dice.below(3) == 0 {
            // On a connection that stands, the journal goes by itself.
            self.devices[number].host().quiesce();
        }
    }

    fn ended<T: std::fmt::Debug>(&mut self, number: usize, what: &str, result: Result<T, Error>) -> Ended<T> {
        match result {
            Ok(done) => {
                self.counts.add(format!("operation: {what}"));
                Ended::Well(done)
            }
            Err(Error::Gone(_) | Error::Invalid { .. } | Error::NotPermitted { .. } | Error::Misuse(_)) => {
                self.note("  … which is refused".into());
                Ended::Badly
            }
            Err(error) => {
                assert!(self.devices[number].disk.has_crashed(), "device {number}: {what}: {error}");
                self.note(format!("  … and the power goes: {error}"));
                self.counts.add("cut: power, during an action");
                Ended::Unsure
            }
        }
    }

    /// Enters what was done to messages, and what is seen of them now.
    fn acted(&mut self, number: usize, rows: &[(MessageId, String)], deed: Deed, sure: bool) {
        for (id, token) in rows {
            self.ledger.did(token, Party::Device(number), deed, sure);
            let device = &mut self.devices[number];
            for there in device.unseen.get(token).into_iter().flatten() {
                self.counts.add(format!("conflict: {} there, {} here", there.name(), deed.name()));
            }
            device.undone.entry(token.clone()).or_default().insert(deed);
            if sure {
                device.wish(*id, token);
            }
        }
    }

    fn any_mailbox(&mut self, number: usize) -> Option<MailboxInfo> {
        let all = self.devices[number].mailboxes();
        let at = self.dice.below(all.len() as u64);
        all.into_iter().nth(at as usize)
    }

    /// One to three messages of one mailbox.
    fn some_rows(&mut self, number: usize) -> Vec<MessageRow> {
        let all: Vec<_> = self.devices[number].mailboxes().into_iter().filter(|m| m.total > 0).collect();
        let at = self.dice.below(all.len() as u64);
        let Some(mailbox) = all.get(at as usize) else { return Vec::new() };
        let mut rows = self.devices[number].rows(mailbox.id);
        let wanted = 1 + self.dice.below(3);
        let mut some = Vec::new();
        while (some.len() as u64) < wanted && !rows.is_empty() {
            some.push(rows.remove(self.dice.below(rows.len() as u64) as usize));
        }
        some
    }

    fn named(&self, number: usize, rows: &[MessageRow]) -> Vec<(MessageId, String)> {
        rows.iter().map(|row| (row.id, self.devices[number].token(row))).collect()
    }

    fn change(&mut self) -> FlagChange {
        let flag = FLAGS[self.dice.below(5) as usize];
        let other = FLAGS[self.dice.below(5) as usize];
        match self.dice.below(4) {
            0 => FlagChange::default().clear(flag),
            1 => FlagChange::default().clear(other).set(flag),
            _ => FlagChange::default().set(flag),
        }
    }

    fn flags(&mut self, number: usize) {
        let rows = self.some_rows(number);
        let named = self.named(number, &rows);
        let change = self.change();
        self.note(format!("device {number}: {change:?} of {named:?}"));
        let ids: Vec<_> = rows.iter().map(|r| r.id).collect();
        let host = self.devices[number].host();
        let done = host.engine.set_flags(host.now, &ids, &change);
        self.finish(number, "set flags", done, &named, Deed::Flags);
    }

    fn finish<T: std::fmt::Debug>(
        &mut self,
        number: usize,
        what: &str,
        done: Result<T, Error>,
        named: &[(MessageId, String)],
        deed: Deed,
    ) -> Option<T> {
        match self.ended(number, what, done) {
            Ended::Well(done) => {
                self.acted(number, named, deed, true);
                Some(done)
            }
            Ended::Unsure => {
                self.acted(number, named, deed, false);
                None
            }
            Ended::Badly => None,
        }
    }

    fn moves(&mut self, number: usize) {
        let rows = self.some_rows(number);
        let Some(to) = self.any_mailbox(number) else { return };
        self.moves_to(number, &rows, &to);
    }

    fn moves_to(&mut self, number: usize, rows: &[MessageRow], to: &MailboxInfo) {
        let named = self.named(number, rows);
        self.note(format!("device {number}: moves {named:?} to {}", to.name));
        let ids: Vec<_> = rows.iter().map(|r| r.id).collect();
        let host = self.devices[number].host();
        let done = host.engine.move_messages(host.now, &ids, to.id);
        let local = to.kind == MailboxKind::Local;
        let what = if local { "move to a local mailbox" } else { "move" };
        self.finish(number, what, done, &named, Deed::Move);
        self.devices[number].targets.insert(to.id);
        if local {
            for (_, token) in &named {
                self.ledger.of(token).taken_down = true;
            }
        }
    }

    fn copies(&mut self, number: usize) {
        let rows = self.some_rows(number);
        let named = self.named(number, &rows);
        let Some(to) = self.any_mailbox(number) else { return };
        self.note(format!("device {number}: copies {named:?} to {}", to.name));
        let ids: Vec<_> = rows.iter().map(|r| r.id).collect();
        let host = self.devices[number].host();
        let done = host.engine.copy_messages(host.now, &ids, to.id);
        self.finish(number, "copy", done, &named, Deed::Copy);
        self.devices[number].targets.insert(to.id);
    }

    fn deletes(&mut self, number: usize) {
        let rows = self.some_rows(number);
        let Some(first) = rows.first() else { return };
        let role = self.devices[number].mailboxes().into_iter().find(|m| m.id == first.mailbox);
        let for_good = role.is_some_and(|m| matches!(m.role, Some(Role::Trash | Role::Junk)));
        let named = self.named(number, &rows);
        self.note(format!("device {number}: deletes {named:?}"));
        let ids: Vec<_> = rows.iter().map(|r| r.id).collect();
        let host = self.devices[number].host();
        let done = host.engine.delete_messages(host.now, &ids);
        let deed = if for_good { Deed::Delete } else { Deed::Move };
        self.finish(number, "delete", done, &named, deed);
    }

    fn expunges(&mut self, number: usize) {
        let rows = self.some_rows(number);
        let named = self.named(number, &rows);
        self.note(format!("device {number}: expunges {named:?}"));
        let ids: Vec<_> = rows.iter().map(|r| r.id).collect();
        let host = self.devices[number].host();
        let done = host.engine.expunge_messages(host.now, &ids);
        self.finish(number, "expunge", done, &named, Deed::Delete);
    }

    fn archives(&mut self, number: usize) {
        let rows = self.some_rows(number);
        let named = self.named(number, &rows);
        self.note(format!("device {number}: archives {named:?}"));
        let ids: Vec<_> = rows.iter().map(|r| r.id).collect();
        let host = self.devices[number].host();
        let done = host.engine.archive_messages(host.now, &ids);
        self.finish(number, "archive", done, &named, Deed::Move);
    }

    /// A message that this device makes.
    fn draft(&mut self) -> (String, Draft) {
        let new = self.ledger.next_number();
        let mut draft = Draft::new(letter(new));
        for flag in FLAGS {
            if self.dice.below(5) == 0 {
                draft = draft.flag(flag);
            }
        }
        (format!("t{new}"), draft)
    }

    fn put(&mut self, number: usize, token: &str, ended: Ended<MessageId>) -> bool {
        match ended {
            Ended::Well(id) => {
                self.ledger.put(token, Party::Device(number), true);
                self.devices[number].wish(id, token);
                true
            }
            Ended::Unsure => {
                self.ledger.put(token, Party::Device(number), false);
                true
            }
            Ended::Badly => false,
        }
    }

    fn appends(&mut self, number: usize) {
        let Some(to) = self.any_mailbox(number) else { return };
        let (token, draft) = self.draft();
        self.note(format!("device {number}: appends {token} to {}", to.name));
        let host = self.devices[number].host();
        let done = host.engine.append(host.now, to.id, draft);
        let ended = self.ended(number, "append", done);
        self.put(number, &token, ended);
        self.devices[number].targets.insert(to.id);
    }

    fn saves_again(&mut self, number: usize) {
        let rows = self.some_rows(number);
        let Some(old) = rows.first() else { return };
        let named = self.named(number, &rows[..1]);
        let (token, draft) = self.draft();
        self.note(format!("device {number}: replaces {named:?} by {token}"));
        let host = self.devices[number].host();
        let done = host.engine.replace_draft(host.now, old.id, draft);
        let ended = self.ended(number, "replace draft", done);
        let sure = matches!(ended, Ended::Well(_));
        if self.put(number, &token, ended) {
            self.acted(number, &named, Deed::Delete, sure);
        }
    }

    fn reads_all(&mut self, number: usize) {
        let Some(mailbox) = self.any_mailbox(number) else { return };
        let rows = self.devices[number].rows(mailbox.id);
        let named = self.named(number, &rows);
        self.note(format!("device {number}: marks all of {} as read", mailbox.name));
        let host = self.devices[number].host();
        let done = host.engine.mark_all_read(host.now, mailbox.id);
        self.finish(number, "mark all read", done, &named, Deed::Flags);
    }

    fn empties(&mut self, number: usize) {
        let Some(mailbox) = self.any_mailbox(number) else { return };
        let rows = self.devices[number].rows(mailbox.id);
        let named = self.named(number, &rows);
        self.note(format!("device {number}: empties {}: {named:?}", mailbox.name));
        let host = self.devices[number].host();
        let done = host.engine.empty_mailbox(host.now, mailbox.id);
        self.finish(number, "empty mailbox", done, &named, Deed::Delete);
    }

    fn creates(&mut self, number: usize) {
        let local = self.dice.below(4) == 0;
        let name = if local { "Attic" } else { NAMES[self.dice.below(NAMES.len() as u64) as usize] };
        self.note(format!("device {number}: creates {name}"));
        let new = NewMailbox::named(name);
        let new = if local { new.local() } else { new };
        let host = self.devices[number].host();
        let done = host.engine.create_mailbox(host.now, host.account, new);
        self.ended(number, if local { "create local mailbox" } else { "create mailbox" }, done);
    }

    /// A mailbox of this device alone.
    pub fn makes_attic(&mut self, number: usize) {
        let host = self.devices[number].host();
        let new = NewMailbox::named("Attic").local();
        host.engine.create_mailbox(host.now, host.account, new).expect("the name is free");
        self.note(format!("device {number} has an Attic"));
    }

    fn renames(&mut self, number: usize) {
        let Some(mailbox) = self.any_mailbox(number) else { return };
        let name = NAMES[self.dice.below(NAMES.len() as u64) as usize];
        self.note(format!("device {number}: renames {} to {name}", mailbox.name));
        let host = self.devices[number].host();
        let done = host.engine.rename_mailbox(host.now, mailbox.id, name);
        if !matches!(self.ended(number, "rename mailbox", done), Ended::Badly) {
            self.renamed = true;
        }
    }

    fn deletes_mailbox(&mut self, number: usize) {
        let Some(mailbox) = self.any_mailbox(number) else { return };
        let rows = self.devices[number].rows(mailbox.id);
        let named = self.named(number, &rows);
        self.note(format!("device {number}: deletes mailbox {}: {named:?}", mailbox.name));
        let host = self.devices[number].host();
        let done = host.engine.delete_mailbox(host.now, mailbox.id);
        if matches!(self.ended(number, "delete mailbox", done), Ended::Badly) {
            return;
        }
        self.wipers.insert(number);
        for (_, token) in &named {
            self.ledger.of(token).wiped = true;
        }
        // What others see in it may be more.
        let there: Vec<String> = {
            let audit = self.server.audit();
            audit
                .mailboxes
                .get(&mailbox.name)
                .map_or(Vec::new(), |b| b.messages.iter().map(|m| m.token.clone()).collect())
        };
        for token in there {
            self.ledger.of(&token).wiped = true;
        }
    }

    fn subscribes(&mut self, number: usize) {
        let Some(mailbox) = self.any_mailbox(number) else { return };
        let on = self.dice.below(2) == 0;
        self.note(format!("device {number}: subscribes to {}: {on}", mailbox.name));
        let host = self.devices[number].host();
        let done = host.engine.subscribe(host.now, mailbox.id, on);
        self.ended(number, "subscribe", done);
    }

    fn takes_back(&mut self, number: usize) {
        let pending = self.devices[number].see().engine.pending(None).expect("the journal");
        let at = self.dice.below(pending.len() as u64);
        let Some(operation) = pending.get(at as usize) else { return };
        self.note(format!("device {number}: takes back {:?}", operation.kind));
        let tokens = self.tokens_of(number, &operation.kind);
        let host = self.devices[number].host();
        let done = host.engine.cancel_operation(host.now, operation.id);
        let sure = match self.ended(number, "cancel", done) {
            Ended::Well(()) => true,
            Ended::Unsure => false,
            Ended::Badly => return,
        };
        if matches!(operation.kind, OperationKind::Append { .. } | OperationKind::Copy { .. }) {
            for token in &tokens {
                self.ledger.did(token, Party::Device(number), Deed::Delete, sure);
            }
        }
        self.looks_again(number, &operation.kind, &tokens, sure);
    }

    fn tries_again(&mut self, number: usize) {
        let mut pending = self.devices[number].see().engine.pending(None).expect("the journal");
        pending.retain(|o| matches!(o.state, OperationState::SetAside { .. }));
        let at = self.dice.below(pending.len() as u64);
        let Some(operation) = pending.get(at as usize) else { return };
        self.note(format!("device {number}: tries again {:?}", operation.kind));
        let tokens = self.tokens_of(number, &operation.kind);
        let host = self.devices[number].host();
        let done = host.engine.retry_operation(host.now, operation.id);
        let sure = match self.ended(number, "retry", done) {
            Ended::Well(()) => true,
            Ended::Unsure => false,
            Ended::Badly => return,
        };
        for token in &tokens {
            // It was set aside meanwhile, whether or not anybody has looked.
            self.ledger.of(token).set_aside = true;
        }
        self.devices[number].set_aside.remove(&operation.id);
        self.looks_again(number, &operation.kind, &tokens, sure);
    }

    fn looks_again(&mut self, number: usize, kind: &OperationKind, tokens: &[String], sure: bool) {
        let Some(message) = message_of(kind) else { return };
        for token in tokens {
            self.ledger.of(token).unsure |= !sure;
            self.devices[number].wish(message, token);
        }
        // With a draft that is taken back, the older version is there again.
        let device = &mut self.devices[number];
        let back: Vec<_> = device.wishes.iter().filter(|(_, (_, wish))| *wish == Wish::Gone).collect();
        let back: Vec<_> = back.into_iter().map(|(id, (token, _))| (*id, token.clone())).collect();
        for (id, token) in back {
            device.wish(id, &token);
        }
    }

    /// The message that an operation is about, by token; its copy counts as itself.
    pub fn tokens_of(&self, number: usize, kind: &OperationKind) -> Vec<String> {
        let device = &self.devices[number];
        let Some(message) = message_of(kind) else { return Vec::new() };
        if let Some((token, _)) = device.wishes.get(&message) {
            return vec![token.clone()];
        }
        match device.see().engine.message(message) {
            Ok(message) => vec![device.token(&message.row)],
            Err(_) => Vec::new(),
        }
    }

    /// Where a mailbox is on the server, by its name here.
    pub fn name_of(&self, number: usize, mailbox: MailboxId) -> Option<String> {
        self.devices[number].mailboxes().into_iter().find(|m| m.id == mailbox).map(|m| m.name)
    }
}

pub fn message_of(kind: &OperationKind) -> Option<MessageId> {
    match kind {
        OperationKind::SetFlags { message, .. }
        | OperationKind::Move { message, .. }
        | OperationKind::Copy { message, .. }
        | OperationKind::Delete { message }
        | OperationKind::Append { message, .. } => Some(*message),
        _ => None,
    }
}
