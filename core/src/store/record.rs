//! Versioned records. postcard does not describe itself, so the first octet of every record says
//! which shape follows.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// A record that is stored under a version of its own.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// The version written today.
    const VERSION: u8;
    /// What the record is called in an error.
    const NAME: &'static str;

    /// Reads a version that is no longer written; none by default.
    fn from_older(_version: u8, _body: &[u8]) -> Option<Self> {
        None
    }
}

pub(crate) fn encode<R: Record>(record: &R) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.push(R::VERSION);
    // Writing to a growing vector cannot fail, and every record is plain data.
    postcard::to_extend(record, out).unwrap_or_default()
}

pub(crate) fn decode<R: Record>(bytes: &[u8]) -> Result<R> {
    let damaged = || Error::Corrupt(format!("a {} record cannot be read", R::NAME));
    let (&version, body) = bytes.split_first().ok_or_else(damaged)?;
    if version == R::VERSION {
        postcard::from_bytes(body).map_err(|_| damaged())
    } else {
        R::from_older(version, body).ok_or_else(damaged)
    }
}
