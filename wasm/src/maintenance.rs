//! The store's life, and room on the server and on the device.

use mailkeep::{ArchiveRule, MemoryStorage};
use wasm_bindgen::prelude::*;

use crate::engine::RawEngine;
use crate::error::{Answer, invalid};
use crate::json::{Json, Value};
use crate::storage::{BrowserStorage, SyncFile};
use crate::{given, now, records};

#[wasm_bindgen]
impl RawEngine {
    /// Gives the file back until [`RawEngine::reopen`]; calls answer that the engine is suspended.
    pub fn suspend(&self) -> Answer<()> {
        Ok(self.engine.suspend()?)
    }

    /// Opens the file again, after a suspension or a failure whose cause is gone.
    pub fn reopen(&self) -> Answer<()> {
        Ok(self.engine.reopen()?)
    }

    /// Closes the store for good.
    pub fn close(&self) {
        self.engine.close();
    }

    /// Compresses some of the bodies that have not been looked at.
    pub fn shrink(&self, octets: f64) -> Answer<String> {
        let done = self.engine.shrink(given::whole("octets", octets)?)?;
        let json =
            Json::object().number("read", done.read).number("saved", done.saved).flag("done", done.done);
        Ok(json.end().into_string())
    }

    /// Gives unused space back to the file system; nothing else runs meanwhile.
    pub fn compact(&self) -> Answer<bool> {
        Ok(self.engine.compact()?)
    }

    /// Reads everything and says what is not as it should be.
    pub fn verify(&self) -> Answer<String> {
        let report = self.engine.verify()?;
        let json = Json::object()
            .number("mailboxes", report.mailboxes)
            .number("messages", report.messages)
            .number("bodies", report.bodies)
            .number("octets", report.octets)
            .value("problems", Value::texts(report.problems.iter().map(String::as_str)));
        Ok(json.end().into_string())
    }

    /// Copies everything into an empty file.
    #[wasm_bindgen(js_name = backupTo)]
    pub fn backup_to(&self, name: String, file: SyncFile, seed: f64) -> Answer<()> {
        Ok(self.engine.backup_to(BrowserStorage::new(name, file), given::whole("seed", seed)?)?)
    }

    /// Copies everything into bytes.
    #[wasm_bindgen(js_name = backupBytes)]
    pub fn backup_bytes(&self, seed: f64) -> Answer<Vec<u8>> {
        let target = MemoryStorage::new();
        self.engine.backup_to(target.clone(), given::whole("seed", seed)?)?;
        Ok(target.to_bytes())
    }

    /// The bytes of a store in memory as they are; `undefined` for one in a file.
    #[wasm_bindgen(js_name = rawBytes)]
    pub fn raw_bytes(&self) -> Option<Vec<u8>> {
        self.memory.as_ref().map(MemoryStorage::to_bytes)
    }

    /// The number that names this store and no copy of it, in hexadecimal digits.
    pub fn incarnation(&self) -> Answer<String> {
        Ok(format!("{:016x}", self.engine.incarnation()?))
    }

    /// What an archive by age (`beforeMs`) or until a quota is met (`quotaPercent`) would take from the server.
    #[wasm_bindgen(js_name = planArchive)]
    pub fn plan_archive(&self, account: f64, rule: &JsValue) -> Answer<String> {
        let fields = given::Fields(rule);
        let rule = match (fields.number("beforeMs")?, fields.small("quotaPercent")?) {
            (Some(before), None) => ArchiveRule::received_before(before as i64),
            (None, Some(percent)) => ArchiveRule::until_quota_below(percent),
            _ => return Err(invalid("rule", "either beforeMs or quotaPercent").into()),
        };
        let plan = self.engine.plan_archive(given::account(account)?, &rule)?;
        let entries = plan.iter().map(|entry| {
            Json::object()
                .number("message", entry.message)
                .number("mailbox", entry.mailbox)
                .number("size", entry.size)
                .number("internalDate", entry.internal_date)
                .text("subject", &entry.subject)
                .end()
        });
        Ok(Value::array(entries).into_string())
    }

    /// Lets go of bodies until those that are left take at most `budget` octets, in steps.
    #[wasm_bindgen(js_name = evictBodies)]
    pub fn evict_bodies(&self, budget: f64) -> Answer<String> {
        let done = self.engine.evict_bodies(given::whole("budget", budget)?)?;
        let json = Json::object()
            .number("messages", done.messages)
            .number("octets", done.octets)
            .number("octetsLeft", done.octets_left)
            .flag("more", done.more);
        Ok(json.end().into_string())
    }

    /// What the next sync of a POP3 account would delete from its server.
    #[wasm_bindgen(js_name = retentionPlan)]
    pub fn retention_plan(&self, account: f64) -> Answer<String> {
        let plan = self.engine.retention_plan(given::account(account)?, now().wall_ms)?;
        Ok(Value::array(plan.iter().map(records::retention)).into_string())
    }

    /// What a POP3 account's server said of how it keeps mail.
    #[wasm_bindgen(js_name = popServer)]
    pub fn pop_server(&self, account: f64) -> Answer<String> {
        Ok(records::pop_server(&self.engine.pop_server(given::account(account)?)?).into_string())
    }
}
