//! What JavaScript gives: numbers that must be ids, objects with settings.

use js_sys::{Array, Object, Reflect};
use mailkeep::{
    AccountId, AccountSettings, BodyPolicy, Error, Keep, MailboxId, MessageId, Protocol, Result, Role,
    Security, Window,
};
use wasm_bindgen::{JsCast, JsValue};

use crate::error::invalid;

/// The largest whole number that JavaScript counts to exactly.
const MOST: f64 = 9_007_199_254_740_991.0;

pub(crate) fn whole(what: &'static str, number: f64) -> Result<u64> {
    if number.fract() == 0.0 && (0.0..=MOST).contains(&number) {
        Ok(number as u64)
    } else {
        Err(invalid(what, format!("{number} is no whole number from 0 to 2^53 - 1")))
    }
}

fn small(what: &'static str, number: f64) -> Result<u32> {
    u32::try_from(whole(what, number)?).map_err(|_| invalid(what, format!("{number} is above 2^32 - 1")))
}

pub(crate) fn account(id: f64) -> Result<AccountId> {
    small("account", id).map(AccountId)
}

pub(crate) fn mailbox(id: f64) -> Result<MailboxId> {
    small("mailbox", id).map(MailboxId)
}

pub(crate) fn message(id: f64) -> Result<MessageId> {
    whole("message", id).map(MessageId)
}

pub(crate) fn messages(ids: &[f64]) -> Result<Vec<MessageId>> {
    ids.iter().copied().map(message).collect()
}

/// An object whose fields are looked at one by one. What is `undefined` was not given.
#[derive(Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a JsValue);

impl Fields<'_> {
    pub(crate) fn get(&self, key: &str) -> Option<JsValue> {
        Reflect::get(self.0, &key.into()).ok().filter(|value| !value.is_undefined())
    }

    pub(crate) fn text(&self, key: &'static str) -> Result<Option<String>> {
        let as_text = |value: JsValue| value.as_string().ok_or_else(|| invalid(key, "not a string"));
        self.get(key).map(as_text).transpose()
    }

    /// A string, or `null` for none of it.
    pub(crate) fn nullable_text(&self, key: &'static str) -> Result<Option<Option<String>>> {
        match self.get(key) {
            Some(value) if value.is_null() => Ok(Some(None)),
            _ => Ok(self.text(key)?.map(Some)),
        }
    }

    pub(crate) fn number(&self, key: &'static str) -> Result<Option<u64>> {
        let as_number = |value: JsValue| {
            let number = value.as_f64().ok_or_else(|| invalid(key, "not a number"))?;
            whole(key, number)
        };
        self.get(key).map(as_number).transpose()
    }

    pub(crate) fn small<T: TryFrom<u64>>(&self, key: &'static str) -> Result<Option<T>> {
        let fit = |number| T::try_from(number).map_err(|_| invalid(key, "too large"));
        self.number(key)?.map(fit).transpose()
    }

    pub(crate) fn flag(&self, key: &'static str) -> Result<Option<bool>> {
        let as_flag = |value: JsValue| value.as_bool().ok_or_else(|| invalid(key, "not a boolean"));
        self.get(key).map(as_flag).transpose()
    }
}

/// Settings that are given over those that were there.
pub(crate) fn settings_over(mut settings: AccountSettings, given: &JsValue) -> Result<AccountSettings> {
    let fields = Fields(given);
    let set = |place: &mut String, key| -> Result<()> {
        if let Some(text) = fields.text(key)? {
            *place = text;
        }
        Ok(())
    };
    set(&mut settings.name, "name")?;
    set(&mut settings.host, "host")?;
    set(&mut settings.user, "user")?;
    settings.port = fields.small("port")?.unwrap_or(settings.port);
    settings.compress = fields.flag("compress")?.unwrap_or(settings.compress);
    settings.quota_warning = fields.small("quotaWarning")?.unwrap_or(settings.quota_warning);
    settings.audit_interval_ms = fields.small("auditIntervalMs")?.unwrap_or(settings.audit_interval_ms);
    settings.mechanism = fields.nullable_text("mechanism")?.unwrap_or(settings.mechanism);
    if let Some(word) = fields.text("security")? {
        settings.security = security(&word)?;
    }
    if let Some(value) = fields.get("bodies") {
        settings.bodies = bodies(&value)?;
    }
    if let Some(value) = fields.get("window") {
        settings.window = window(&value)?;
    }
    if let Some(value) = fields.get("keep") {
        settings.keep = keep(&value)?;
    }
    match fields.get("popSizeLimit") {
        Some(value) if value.is_null() => settings.pop_size_limit = None,
        Some(_) => settings.pop_size_limit = fields.number("popSizeLimit")?,
        None => {}
    }
    if let Some(value) = fields.get("extra") {
        settings.extra = extra(&value)?;
    }
    Ok(settings)
}

/// Settings of a new account: the protocol's usual ones under those that are given.
pub(crate) fn new_settings(given: &JsValue) -> Result<AccountSettings> {
    let base = match protocol(given)? {
        Some(Protocol::Pop3) => AccountSettings::pop3("", "", ""),
        _ => AccountSettings::imap("", "", ""),
    };
    settings_over(base, given)
}

pub(crate) fn protocol(given: &JsValue) -> Result<Option<Protocol>> {
    match Fields(given).text("protocol")?.as_deref() {
        None => Ok(None),
        Some("imap") => Ok(Some(Protocol::Imap)),
        Some("pop3") => Ok(Some(Protocol::Pop3)),
        Some(other) => Err(unknown("protocol", other)),
    }
}

fn security(word: &str) -> Result<Security> {
    match word {
        "tls" => Ok(Security::Tls),
        "starttls" => Ok(Security::StartTls),
        "insecure" => Ok(Security::Insecure),
        other => Err(unknown("security", other)),
    }
}

pub(crate) fn bodies(value: &JsValue) -> Result<BodyPolicy> {
    match value.as_string().as_deref() {
        Some("all") => Ok(BodyPolicy::All),
        Some("none") => Ok(BodyPolicy::None),
        Some(other) => Err(unknown("bodies", other)),
        None => Fields(value)
            .small("newest")?
            .map(BodyPolicy::Newest)
            .ok_or_else(|| invalid("bodies", "not known")),
    }
}

fn window(value: &JsValue) -> Result<Window> {
    if value.as_string().as_deref() == Some("everything") {
        return Ok(Window::Everything);
    }
    let fields = Fields(value);
    match (fields.small("newest")?, fields.small("lastDays")?) {
        (Some(newest), None) => Ok(Window::Newest(newest)),
        (None, Some(days)) => Ok(Window::LastDays(days)),
        _ => Err(invalid("window", "not known")),
    }
}

fn keep(value: &JsValue) -> Result<Keep> {
    match value.as_string().as_deref() {
        Some("delete") => Ok(Keep::Delete),
        Some("until-deleted-here") => Ok(Keep::UntilDeletedHere),
        Some("forever") => Ok(Keep::Forever),
        Some(other) => Err(unknown("keep", other)),
        None => Fields(value).small("days")?.map(Keep::Days).ok_or_else(|| invalid("keep", "not known")),
    }
}

fn extra(value: &JsValue) -> Result<Vec<(String, String)>> {
    let object = value.dyn_ref::<Object>().ok_or_else(|| invalid("extra", "not an object"))?;
    let pair = |entry: JsValue| {
        let pair = Array::from(&entry);
        let text = |at| pair.get(at).as_string().ok_or_else(|| invalid("extra", "a value is no string"));
        Ok((text(0)?, text(1)?))
    };
    Object::entries(object).iter().map(pair).collect()
}

/// The word for a role, as the package's types have it.
pub(crate) const ROLES: [(&str, Role); 9] = [
    ("inbox", Role::Inbox),
    ("drafts", Role::Drafts),
    ("sent", Role::Sent),
    ("trash", Role::Trash),
    ("junk", Role::Junk),
    ("archive", Role::Archive),
    ("all", Role::All),
    ("flagged", Role::Flagged),
    ("important", Role::Important),
];

pub(crate) fn role(word: &str) -> Result<Role> {
    ROLES.iter().find(|(name, _)| *name == word).map(|(_, role)| *role).ok_or_else(|| unknown("role", word))
}

pub(crate) fn unknown(what: &'static str, word: &str) -> Error {
    invalid(what, format!("{word:?} is not known"))
}
