//! The browser's tables of charsets and of normalisation, lent to the engine.

use js_sys::JsString;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    type TextDecoder;

    #[wasm_bindgen(constructor, catch)]
    fn new(label: &str) -> Result<TextDecoder, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn decode(this: &TextDecoder, data: &[u8]) -> Result<String, JsValue>;
}

/// From now on the engine asks the browser for what it has no tables for.
pub(crate) fn lend() {
    mailkeep::message::set_charset_decoder(|name, data| TextDecoder::new(name).ok()?.decode(data).ok());
    mailkeep::sasl::set_normalizer(|text| JsString::from(text).normalize("NFKC").into());
}
