//! Records of the engine as JSON, field by field as the package's types have them.

use mailkeep::flags::FlagSet;
use mailkeep::message::{Address, Disposition, Part};
use mailkeep::{
    AccountInfo, AccountSettings, BodyPolicy, Conversion, Expire, Keep, MailboxInfo, MailboxKind, Message,
    Operation, OperationKind, OperationState, PopServerInfo, Protocol, Quota, RetentionEntry,
    RetentionReason, Role, Security, Window,
};

use crate::given::ROLES;
use crate::json::{Json, Value};

pub(crate) fn account(info: &AccountInfo) -> Value {
    Json::object()
        .number("id", info.id)
        .value("settings", settings(&info.settings))
        .maybe_text("server", info.server.as_deref())
        .value("quotas", Value::array(info.quotas.iter().map(quota)))
        .end()
}

fn settings(settings: &AccountSettings) -> Value {
    let extra =
        settings.extra.iter().fold(Json::object(), |json, (key, value)| json.dynamic_text(key, value));
    Json::object()
        .text("name", &settings.name)
        .text("protocol", protocol(settings.protocol))
        .text("host", &settings.host)
        .number("port", settings.port)
        .text("security", security(settings.security))
        .text("user", &settings.user)
        .maybe_text("mechanism", settings.mechanism.as_deref())
        .value("bodies", bodies(settings.bodies))
        .value("window", window(settings.window))
        .flag("compress", settings.compress)
        .number("auditIntervalMs", settings.audit_interval_ms)
        .number("quotaWarning", settings.quota_warning)
        .value("keep", keep(settings.keep))
        .maybe_number("popSizeLimit", settings.pop_size_limit)
        .value("extra", extra.end())
        .end()
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Pop3 => "pop3",
        _ => "imap",
    }
}

fn security(security: Security) -> &'static str {
    match security {
        Security::StartTls => "starttls",
        Security::Insecure => "insecure",
        _ => "tls",
    }
}

fn bodies(bodies: BodyPolicy) -> Value {
    match bodies {
        BodyPolicy::Newest(newest) => Json::object().number("newest", newest).end(),
        BodyPolicy::None => Value::text("none"),
        _ => Value::text("all"),
    }
}

fn window(window: Window) -> Value {
    match window {
        Window::Newest(newest) => Json::object().number("newest", newest).end(),
        Window::LastDays(days) => Json::object().number("lastDays", days).end(),
        _ => Value::text("everything"),
    }
}

fn keep(keep: Keep) -> Value {
    match keep {
        Keep::Delete => Value::text("delete"),
        Keep::Days(days) => Json::object().number("days", days).end(),
        Keep::UntilDeletedHere => Value::text("until-deleted-here"),
        _ => Value::text("forever"),
    }
}

pub(crate) fn quota(quota: &Quota) -> Value {
    Json::object()
        .text("root", &quota.root)
        .text("resource", &quota.resource)
        .number("usage", quota.usage)
        .number("limit", quota.limit)
        .number("percent", quota.percent())
        .end()
}

pub(crate) fn mailbox(info: &MailboxInfo) -> Value {
    let kind = match info.kind {
        MailboxKind::PopInbox => "pop-inbox",
        MailboxKind::Local => "local",
        _ => "server",
    };
    let delimiter = info.delimiter.map(String::from);
    Json::object()
        .number("id", info.id)
        .number("account", info.account)
        .text("name", &info.name)
        .maybe_text("delimiter", delimiter.as_deref())
        .text("kind", kind)
        .maybe_text("role", info.role.and_then(role))
        .flag("selectable", info.selectable)
        .flag("subscribed", info.subscribed)
        .flag("pending", info.pending)
        .number("total", info.total)
        .number("unseen", info.unseen)
        .number("size", info.size)
        .number("uidValidity", info.uid_validity)
        .number("uidNext", info.uid_next)
        .flag("complete", info.complete)
        .end()
}

fn role(role: Role) -> Option<&'static str> {
    ROLES.iter().find(|(_, known)| *known == role).map(|(name, _)| *name)
}

/// What an opened message has beside its row.
pub(crate) fn details(message: &Message) -> Value {
    let details = &message.details;
    let people = |addresses: &[Address]| Value::array(addresses.iter().map(address));
    let texts = |texts: &[String]| Value::texts(texts.iter().map(String::as_str));
    Json::object()
        .value("sender", people(&details.sender))
        .value("replyTo", people(&details.reply_to))
        .value("to", people(&details.to))
        .value("cc", people(&details.cc))
        .value("bcc", people(&details.bcc))
        .value("inReplyTo", texts(&details.in_reply_to))
        .value("references", texts(&details.references))
        .maybe_text("listId", details.list_id.as_deref())
        .value("parts", Value::array(details.parts.iter().map(part)))
        .flag("partsComplete", details.parts_complete)
        .end()
}

fn address(address: &Address) -> Value {
    Json::object().maybe_text("name", address.name.as_deref()).text("address", &address.address).end()
}

fn part(part: &Part) -> Value {
    let disposition = match part.disposition {
        Disposition::None => None,
        Disposition::Inline => Some("inline"),
        Disposition::Attachment => Some("attachment"),
    };
    Json::object()
        .text("number", &part.number)
        .text("mediaType", &part.media_type)
        .maybe_text("charset", part.charset.as_deref())
        .maybe_text("name", part.name.as_deref())
        .text("safeFileName", &part.safe_file_name())
        .maybe_text("disposition", disposition)
        .maybe_text("contentId", part.content_id.as_deref())
        .number("size", part.size)
        .flag("attachment", part.is_attachment())
        .end()
}

pub(crate) fn operation(operation: &Operation) -> Value {
    let json = Json::object()
        .number("id", operation.id)
        .number("account", operation.account)
        .number("createdMs", operation.created_ms)
        .value("kind", operation_kind(&operation.kind));
    match &operation.state {
        OperationState::Waiting => json.text("state", "waiting").null("reason").end(),
        OperationState::Sent => json.text("state", "sent").null("reason").end(),
        OperationState::SetAside { reason } => json.text("state", "set-aside").text("reason", reason).end(),
        _ => json.text("state", "unknown").null("reason").end(),
    }
}

fn operation_kind(kind: &OperationKind) -> Value {
    let of = |name| Json::object().text("type", name);
    let words = |set: &FlagSet| Value::texts(set.wire_words());
    match kind {
        OperationKind::SetFlags { message, add, remove } => of("set-flags")
            .number("message", message)
            .value("add", words(add))
            .value("remove", words(remove))
            .end(),
        OperationKind::Move { message, to } => of("move").number("message", message).number("to", to).end(),
        OperationKind::Copy { message, source, to } => {
            of("copy").number("message", message).number("source", source).number("to", to).end()
        }
        OperationKind::Delete { message } => of("delete").number("message", message).end(),
        OperationKind::Append { message, to } => {
            of("append").number("message", message).number("to", to).end()
        }
        OperationKind::CreateMailbox { mailbox } => of("create-mailbox").number("mailbox", mailbox).end(),
        OperationKind::RenameMailbox { mailbox } => of("rename-mailbox").number("mailbox", mailbox).end(),
        OperationKind::DeleteMailbox { mailbox } => of("delete-mailbox").number("mailbox", mailbox).end(),
        OperationKind::Subscribe { mailbox, on } => {
            of("subscribe").number("mailbox", mailbox).flag("on", *on).end()
        }
        _ => of("unknown").end(),
    }
}

pub(crate) fn retention(entry: &RetentionEntry) -> Value {
    let why = match entry.why {
        RetentionReason::Here => Json::object().text("type", "here").end(),
        RetentionReason::Age { days } => Json::object().text("type", "age").number("days", days).end(),
        RetentionReason::DeletedHere => Json::object().text("type", "deleted-here").end(),
        RetentionReason::MovedHere => Json::object().text("type", "moved-here").end(),
        _ => Json::object().text("type", "unknown").end(),
    };
    Json::object()
        .maybe_number("message", entry.message)
        .text("uidl", &entry.uidl)
        .number("size", entry.size)
        .text("subject", &entry.subject)
        .value("why", why)
        .end()
}

pub(crate) fn pop_server(info: &PopServerInfo) -> Value {
    let json = Json::object().number("loginDelayS", info.login_delay_s);
    match info.expire {
        None => json.null("expire").end(),
        Some(Expire::Never) => json.text("expire", "never").end(),
        Some(Expire::Days(days)) => json.value("expire", Json::object().number("days", days).end()).end(),
    }
}

pub(crate) fn conversion(conversion: &Conversion) -> Value {
    let leftovers = conversion.leftovers.iter().map(|left| {
        Json::object()
            .number("message", left.message)
            .number("mailbox", left.mailbox)
            .text("mailboxName", &left.mailbox_name)
            .text("subject", &left.subject)
            .number("size", left.size)
            .number("internalDate", left.internal_date)
            .flag("whole", left.whole)
            .end()
    });
    Json::object().flag("underWay", conversion.under_way).value("leftovers", Value::array(leftovers)).end()
}
