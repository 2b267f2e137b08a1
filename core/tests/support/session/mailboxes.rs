//! CREATE, DELETE, RENAME, SUBSCRIBE, and what is asked about mailboxes: rights, quota, namespaces.

use super::super::model::tree::role;
use super::super::wire::Arg;
use super::{Answer, Session, quoted};

impl Session {
    pub(super) fn create(&mut self, args: &[Arg]) -> Answer {
        let (name, usage) = match args {
            [name] => (name, None),
            [name, Arg::List(params)] => {
                self.need("CREATE-SPECIAL-USE")?;
                let [word, uses] = params.as_slice() else { return Err("BAD CREATE".into()) };
                let uses = uses.items();
                if !word.is("USE") || uses.len() > 1 {
                    return Err("NO [USEATTR] one use and no more".into());
                }
                let usage = uses.first().map(|u| role(&u.text()).ok_or("NO [USEATTR] no such use"));
                (name, usage.transpose()?)
            }
            _ => return Err("BAD CREATE".into()),
        };
        self.world.borrow_mut().create_mailbox(&name.text(), usage)?;
        let world = self.world.borrow();
        let id = world.find(name.text().trim_end_matches('/')).map(|f| f.id);
        let code = id.filter(|_| world.has("OBJECTID")).map(|id| format!("[MAILBOXID (F{id})] "));
        Ok(format!("{}created", code.unwrap_or_default()))
    }

    pub(super) fn delete(&mut self, args: &[Arg]) -> Answer {
        let [name] = args else { return Err("BAD DELETE".into()) };
        let id = self.world.borrow_mut().delete_mailbox(&name.text(), self.by())?;
        if self.view.as_ref().is_some_and(|v| v.folder == id) {
            self.view = None;
            if self.qresync {
                self.say("* OK [CLOSED] it was open".into());
            }
        }
        Ok("deleted".into())
    }

    pub(super) fn rename(&mut self, args: &[Arg]) -> Answer {
        let [from, to] = args else { return Err("BAD RENAME".into()) };
        self.world.borrow_mut().rename_mailbox(&from.text(), &to.text(), self.by())?;
        self.updates(true);
        Ok("renamed".into())
    }

    pub(super) fn subscribe(&mut self, args: &[Arg], on: bool) -> Answer {
        let [name] = args else { return Err("BAD SUBSCRIBE".into()) };
        self.world.borrow_mut().subscribe(&name.text(), on)?;
        Ok("done".into())
    }

    pub(super) fn my_rights(&mut self, args: &[Arg]) -> Answer {
        self.need("ACL")?;
        let [name] = args else { return Err("BAD MYRIGHTS".into()) };
        let rights = {
            let world = self.world.borrow();
            world.find(&name.text()).ok_or("NO [NONEXISTENT] no such mailbox")?.rights.clone()
        };
        self.say(format!("* MYRIGHTS {} {rights}", quoted(&name.text())));
        Ok("told".into())
    }

    pub(super) fn namespace(&mut self) -> Answer {
        self.need("NAMESPACE")?;
        self.say("* NAMESPACE ((\"\" \"/\")) NIL NIL".into());
        Ok("told".into())
    }

    /// There is one quota root, `""`, for everything.
    pub(super) fn quota(&mut self, args: &[Arg], of_mailbox: bool) -> Answer {
        self.need("QUOTA")?;
        let [name] = args else { return Err("BAD quota".into()) };
        let name = name.text();
        let (known, resources) = {
            let world = self.world.borrow();
            let mut resources = Vec::new();
            if let Some(limit) = world.manners.quota_octets {
                resources.push(format!("STORAGE {} {}", world.octets().div_ceil(1024), limit / 1024));
            }
            if let Some(limit) = world.manners.quota_messages {
                let held: usize = world.boxes.iter().map(|b| b.held.len()).sum();
                resources.push(format!("MESSAGE {held} {limit}"));
            }
            (if of_mailbox { world.find(&name).is_some() } else { name.is_empty() }, resources)
        };
        if !known {
            return Err("NO [NONEXISTENT] no such thing".into());
        }
        if of_mailbox {
            self.say(format!("* QUOTAROOT {} \"\"", quoted(&name)));
        }
        self.say(format!("* QUOTA \"\" ({})", resources.join(" ")));
        Ok("told".into())
    }
}
