//! The text of a message, chosen among its parts.

use std::borrow::Cow;

use super::flowed::unflow;
use super::html::html_to_text;
use super::preview::preview_encoded;
use super::structure::{Flow, Leaf, Structure};
use super::transfer::TransferEncoding;
use super::words::decode_charset;
use crate::limits::Limits;

/// Octets of text that are read of one message. More is data, not something to be read or searched.
const TEXT: usize = 8 << 20;

/// Octets of HTML that are given for display, where images may be part of the text.
const HTML: usize = 16 << 20;

/// Parts that are tried for a preview before it stays empty.
const TRIED: usize = 4;

impl Structure<'_> {
    /// The beginning of the first text that is not empty, that of messages inside last.
    pub(super) fn preview(&self, raw: &[u8], limits: &Limits) -> String {
        for inside in [false, true] {
            let readable = self.leaves.iter().filter(|leaf| leaf.inside == inside && leaf.is_readable());
            for leaf in readable.take(TRIED) {
                let part = &leaf.part;
                let body = &raw[leaf.body.clone()];
                let text =
                    preview_encoded(body, leaf.is_html(), part.charset.as_deref(), part.encoding, limits);
                if !text.is_empty() {
                    return text;
                }
            }
        }
        String::new()
    }

    /// The text for reading and searching.
    pub(super) fn text(&self, raw: &[u8]) -> String {
        let own = self.join(raw, false);
        if own.trim().is_empty() { self.join(raw, true) } else { own }
    }

    /// The HTML parts in their order.
    pub(super) fn html(&self, raw: &[u8]) -> Option<String> {
        let inside = !self.leaves.iter().any(|leaf| !leaf.inside && leaf.is_readable());
        let mut html: Option<String> = None;
        for leaf in self.readable(inside).filter(|leaf| leaf.is_html()) {
            let text = decoded(leaf, raw, HTML);
            match &mut html {
                Some(html) if html.len() + text.len() <= HTML => {
                    html.push('\n');
                    html.push_str(&text);
                }
                Some(_) => break,
                None => html = Some(text),
            }
        }
        html
    }

    /// Gives the text of every part that has one, attachments and messages inside too, until one is enough.
    pub(super) fn any_text(&self, raw: &[u8], mut enough: impl FnMut(&str) -> bool) -> bool {
        let texts = self.leaves.iter().filter(|leaf| {
            let media_type = &leaf.part.media_type;
            media_type.starts_with("text/") || media_type.starts_with("multipart/")
        });
        texts.into_iter().any(|leaf| {
            let octets = leaf.part.encoding.decode(&raw[leaf.body.clone()]);
            enough(&decode_charset(&octets, leaf.part.charset.as_deref()))
        })
    }

    fn readable(&self, inside: bool) -> impl Iterator<Item = &Leaf> {
        self.leaves.iter().filter(move |leaf| leaf.inside == inside && leaf.is_readable())
    }

    fn join(&self, raw: &[u8], inside: bool) -> String {
        let mut out = String::new();
        // Alternatives whose plain text was taken; they come in the order of their numbers or later.
        let mut plain: Vec<usize> = Vec::new();
        for leaf in self.readable(inside).filter(|leaf| !leaf.is_html()) {
            if let Some(alternative) = leaf.alternative
                && raw[leaf.body.clone()].iter().any(|byte| !byte.is_ascii_whitespace())
            {
                plain.push(alternative);
            }
        }
        plain.sort_unstable();
        for leaf in self.readable(inside) {
            let has_plain = leaf.alternative.is_some_and(|number| plain.binary_search(&number).is_ok());
            if leaf.is_html() && has_plain {
                continue;
            }
            let room = TEXT.saturating_sub(out.len());
            if room == 0 {
                break;
            }
            let text = readable_text(leaf, raw, room);
            if !out.is_empty() && !out.ends_with('\n') && !text.is_empty() {
                out.push('\n');
            }
            out.push_str(&text);
        }
        out
    }
}

/// The text of a part, with LF as line end and without control characters.
fn readable_text(leaf: &Leaf, raw: &[u8], room: usize) -> String {
    let text = decoded(leaf, raw, room);
    let text = match leaf.flow {
        _ if leaf.is_html() => html_to_text(&text, room),
        Flow::Fixed => text,
        Flow::Flowed => unflow(&text, false),
        Flow::FlowedDelSp => unflow(&text, true),
    };
    let odd = |char: char| char.is_control() && char != '\n' && char != '\t';
    if text.contains(odd) { text.replace("\r\n", "\n").replace(odd, "") } else { text }
}

fn decoded(leaf: &Leaf, raw: &[u8], octets: usize) -> String {
    // Base64 is the longest form of text that is text: four octets for three, and line ends.
    let encoded = match leaf.part.encoding {
        TransferEncoding::Identity | TransferEncoding::Unknown => octets,
        TransferEncoding::Base64 => octets.saturating_mul(3) / 2,
        TransferEncoding::QuotedPrintable => octets.saturating_mul(3),
    };
    let body = &raw[leaf.body.clone()];
    let data = leaf.part.encoding.decode(&body[..body.len().min(encoded)]);
    let data = match data {
        Cow::Borrowed(data) => Cow::Borrowed(&data[..data.len().min(octets)]),
        Cow::Owned(mut data) => {
            data.truncate(octets);
            Cow::Owned(data)
        }
    };
    decode_charset(&data, leaf.part.charset.as_deref()).into_owned()
}
