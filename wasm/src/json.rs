//! A writer of JSON. Records cross the border as text: one call, and the browser's own parser makes the objects.

use std::fmt::{Display, Write};

/// An object under construction.
#[derive(Debug)]
pub(crate) struct Json(String);

/// A finished value.
#[derive(Debug)]
pub(crate) struct Value(String);

impl Json {
    pub(crate) fn object() -> Json {
        Json("{".to_owned())
    }

    pub(crate) fn text(mut self, key: &str, value: &str) -> Json {
        self.key(key);
        quote(&mut self.0, value);
        self
    }

    /// Text under a key that the app chose.
    pub(crate) fn dynamic_text(mut self, key: &str, value: &str) -> Json {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        quote(&mut self.0, key);
        self.0.push(':');
        quote(&mut self.0, value);
        self
    }

    pub(crate) fn maybe_text(self, key: &str, value: Option<&str>) -> Json {
        match value {
            Some(value) => self.text(key, value),
            None => self.null(key),
        }
    }

    /// A number that JavaScript can hold: every id, count and size of the engine is below 2^53.
    pub(crate) fn number(mut self, key: &str, value: impl Display) -> Json {
        self.key(key);
        // Writing to a string does not fail.
        let _ = write!(self.0, "{value}");
        self
    }

    pub(crate) fn maybe_number(self, key: &str, value: Option<impl Display>) -> Json {
        match value {
            Some(value) => self.number(key, value),
            None => self.null(key),
        }
    }

    pub(crate) fn flag(mut self, key: &str, value: bool) -> Json {
        self.key(key);
        self.0.push_str(if value { "true" } else { "false" });
        self
    }

    pub(crate) fn null(mut self, key: &str) -> Json {
        self.key(key);
        self.0.push_str("null");
        self
    }

    pub(crate) fn value(mut self, key: &str, value: Value) -> Json {
        self.key(key);
        self.0.push_str(&value.0);
        self
    }

    pub(crate) fn end(mut self) -> Value {
        self.0.push('}');
        Value(self.0)
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
    }
}

impl Value {
    pub(crate) fn text(text: &str) -> Value {
        let mut out = String::new();
        quote(&mut out, text);
        Value(out)
    }

    pub(crate) fn array(items: impl IntoIterator<Item = Value>) -> Value {
        let mut out = "[".to_owned();
        for item in items {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&item.0);
        }
        out.push(']');
        Value(out)
    }

    pub(crate) fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Value {
        Value::array(items.into_iter().map(Value::text))
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            byte @ (b'"' | b'\\') => out.extend(['\\', char::from(byte)]),
            byte => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::{Json, Value};

    #[test]
    fn an_object_with_everything() {
        let made = Json::object()
            .text("a", "q\" b\\ n\n z\0 ü \u{1f600}")
            .number("n", -5)
            .maybe_number("none", None::<u32>)
            .flag("yes", true)
            .value("list", Value::array([Value::texts(["x", ""]), Value::text("y")]))
            .value("empty", Value::array([]))
            .value("inner", Json::object().end())
            .end();
        let wanted = "{\"a\":\"q\\\" b\\\\ n\\u000a z\\u0000 ü \u{1f600}\",\"n\":-5,\"none\":null,\"yes\":true,\
                      \"list\":[[\"x\",\"\"],\"y\"],\"empty\":[],\"inner\":{}}";
        assert_eq!(made.into_string(), wanted);
    }
}
