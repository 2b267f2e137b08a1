//! Another client puts a message where a device is about to put it, or may have put it just now.

use mailkeep::{OperationKind, OperationState};

use super::Sim;
use crate::support::model::Fault;

/// What a device is to put where.
struct Errand {
    token: String,
    /// The mailbox by its name on the server.
    to: String,
    /// A note of it is durable, or is being made: it may have been done, and what is met from now on may be it.
    may_be_sent: bool,
}

impl Sim {
    fn errands(&self) -> Vec<Errand> {
        let mut all = Vec::new();
        for device in &self.devices {
            let mailboxes = device.mailboxes();
            for operation in device.see().engine.pending(None).expect("the journal") {
                let to = match operation.kind {
                    OperationKind::Move { to, .. }
                    | OperationKind::Copy { to, .. }
                    | OperationKind::Append { to, .. } => to,
                    _ => continue,
                };
                let Some(known) = mailboxes.iter().find(|m| m.id == to) else { continue };
                let audit = self.server.audit();
                let is_it = |name: &str, validity: u32| name == known.name || validity == known.uid_validity;
                let mut names = self.server.names();
                names.retain(|name| is_it(name, audit.mailboxes[name].uid_validity));
                let may_be_sent = match operation.state {
                    OperationState::Sent => true,
                    OperationState::SetAside { .. } => continue,
                    _ => self.syncing.contains(&device.number),
                };
                for token in self.tokens_of(device.number, &operation.kind) {
                    let errand = |to: &String| Errand { token: token.clone(), to: to.clone(), may_be_sent };
                    all.extend(names.iter().map(errand));
                }
            }
        }
        all
    }

    /// A message that stands on the server and that a device is to put somewhere, and where.
    pub fn rival_place(&mut self) -> Option<((String, u32, String), String)> {
        let audit = self.server.audit();
        let mut all = Vec::new();
        for Errand { token, to, .. } in self.errands() {
            all.extend(
                audit.places(&token).into_iter().map(|(from, uid)| ((from, uid, token.clone()), to.clone())),
            );
        }
        let at = self.dice.below(all.len() as u64);
        all.into_iter().nth(at as usize)
    }

    /// What a device was about to put somewhere is there already, by another. Its own command may be read by nobody: what was there
    /// before is not to be taken for what it made.
    pub fn comes_first(&mut self) {
        self.counts.add("another: copies what a device is about to put there");
        if self.setup.cuts && self.dice.below(2) == 0 {
            let verb = if self.setup.has("MOVE") { "MOVE" } else { "COPY" };
            self.note(format!("the 1. {verb} from now: {:?}", Fault::CutBefore));
            self.server.fault(verb, 1, Fault::CutBefore);
        }
    }

    /// Another client is about to put a message into a mailbox. Where a device may have put it there too, and has not looked, the two
    /// are the same to it in every octet and date: it takes the other's for its own, and its own is not made.
    pub fn another_puts(&mut self, token: &str, mailbox: &str) {
        let alike = |e: &Errand| e.may_be_sent && e.token == token && e.to == mailbox;
        let alike = self.errands().iter().filter(|e| alike(e)).count() as u32;
        if alike > 0 {
            self.counts.add("race: another put the same message to the same place");
            self.ledger.of(token).alike += alike;
        }
    }
}
