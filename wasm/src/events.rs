//! Events of a connection as JSON.

use mailkeep::{Event, SyncSummary};

use crate::error::describe;
use crate::json::{Json, Value};
use crate::records;

/// One event, with its name as `type`.
pub(crate) fn event(event: &Event) -> Value {
    let of = |name| Json::object().text("type", name);
    match event {
        Event::StartTls => of("start-tls").end(),
        Event::NeedCredentials { mechanisms } => {
            let mechanisms = Value::texts(mechanisms.iter().map(String::as_str));
            of("need-credentials").value("mechanisms", mechanisms).end()
        }
        Event::Authenticated => of("authenticated").end(),
        Event::Alert { text } => of("alert").text("text", text).end(),
        Event::Problem { text } => of("problem").text("text", text).end(),
        Event::MailboxesListed => of("mailboxes-listed").end(),
        Event::Progress { request, mailbox, done, total } => of("progress")
            .number("request", request)
            .number("mailbox", mailbox)
            .number("done", done)
            .number("total", total)
            .end(),
        Event::Stored { commit } => of("stored").number("commit", commit).end(),
        Event::NewMail { mailbox, message } => {
            of("new-mail").number("mailbox", mailbox).number("message", message).end()
        }
        Event::Opened { request, message } => {
            of("opened").number("request", request).number("message", message).end()
        }
        Event::QuotaWarning { quota } => of("quota-warning").value("quota", records::quota(quota)).end(),
        Event::SetAside { operation } => of("set-aside").number("operation", operation).end(),
        Event::Done { request, result } => {
            let json = of("done").number("request", request);
            match result {
                Ok(done) => json.value("summary", summary(done)).null("error").end(),
                Err(error) => json.null("summary").value("error", describe(error)).end(),
            }
        }
        Event::Closed { error } => match error {
            Some(error) => of("closed").value("error", describe(error)).end(),
            None => of("closed").null("error").end(),
        },
        _ => of("unknown").end(),
    }
}

fn summary(done: &SyncSummary) -> Value {
    Json::object()
        .number("messagesAdded", done.messages_added)
        .number("messagesRemoved", done.messages_removed)
        .number("flagsChanged", done.flags_changed)
        .number("operationsReplayed", done.operations_replayed)
        .number("operationsSetAside", done.operations_set_aside)
        .number("bytesReceived", done.bytes_received)
        .number("bytesSent", done.bytes_sent)
        .number("roundTrips", done.round_trips)
        .number("commands", done.commands)
        .end()
}
