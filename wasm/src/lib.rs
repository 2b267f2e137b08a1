//! The engine in a browser's dedicated worker.
//!
//! This crate is the border and nothing else: [`RawEngine`] and [`RawConnection`] hand every call on to [`mailkeep`],
//! and the npm package beside it (`wasm/npm`) makes an API of them that people want to use. How things cross:
//!
//! - ids, counts and sizes as numbers, which hold all of them exactly: none of the engine's reaches 2^53;
//! - pages of messages as one packed buffer ([`mailkeep::Page::to_bytes`]), bodies as bytes;
//! - other records as JSON text, which browsers parse faster than a record's fields can be set one by one;
//! - errors thrown as JSON text: `code`, `fault`, `message`;
//! - the database through a [`SyncFile`], or in memory.
//!
//! A panic traps. The worker that it happened in is of no more use and is thrown away; what was acknowledged is in
//! the file.

mod actions;
mod charsets;
mod connection;
mod engine;
mod error;
mod events;
mod given;
mod json;
mod maintenance;
mod records;
mod storage;

pub use crate::connection::RawConnection;
pub use crate::engine::RawEngine;
pub use crate::error::Thrown;
pub use crate::storage::SyncFile;

use mailkeep::Now;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn monotonic_ms() -> f64;
}

/// The version of the engine and of this border.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The browser's two clocks.
fn now() -> Now {
    Now::new(monotonic_ms() as u64, js_sys::Date::now() as i64)
}
