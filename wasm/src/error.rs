//! Errors as they are thrown: a JSON text that the package turns into a `MailkeepError`.

use std::io;

use mailkeep::{Error, Fault};
use wasm_bindgen::JsValue;

use crate::json::{Json, Value};

/// What a call of the border answers.
pub(crate) type Answer<T> = Result<T, Thrown>;

/// An error of the engine on its way to JavaScript.
#[derive(Debug)]
pub struct Thrown(Error);

impl From<Error> for Thrown {
    fn from(error: Error) -> Thrown {
        Thrown(error)
    }
}

impl From<Thrown> for JsValue {
    fn from(thrown: Thrown) -> JsValue {
        JsValue::from_str(&describe(&thrown.0).into_string())
    }
}

/// An error as the package's types have it.
pub(crate) fn describe(error: &Error) -> Value {
    let fault = match error.fault() {
        Fault::Store => "store",
        Fault::Caller => "caller",
        _ => "server",
    };
    let json =
        Json::object().number("code", error.code()).text("fault", fault).text("message", &error.to_string());
    match error {
        Error::Storage(cause) => json.text("storage", storage_kind(cause.kind())).end(),
        Error::TryLater { after_ms, .. } => json.number("afterMs", after_ms).end(),
        _ => json.end(),
    }
}

fn storage_kind(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull => "full",
        io::ErrorKind::NotConnected => "lost",
        _ => "failed",
    }
}

/// A complaint about a value that the caller gave.
pub(crate) fn invalid(what: &'static str, why: impl Into<String>) -> Error {
    Error::Invalid { what, why: why.into() }
}
