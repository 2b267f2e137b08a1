//! Parts of a message, as a reader lists them.

use serde::{Deserialize, Serialize};

use super::TransferEncoding;
use super::file_name;

/// Whether a part is meant to be shown or to be saved (RFC 2183).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Disposition {
    /// Nothing was said.
    #[default]
    None,
    /// `inline`
    Inline,
    /// `attachment`, or a word that is not known (RFC 2183 §2.8).
    Attachment,
}

impl Disposition {
    /// From the word in a header or in a BODYSTRUCTURE; case does not matter.
    pub fn from_name(name: &str) -> Disposition {
        let name = name.trim();
        if name.is_empty() {
            Disposition::None
        } else if name.eq_ignore_ascii_case("inline") {
            Disposition::Inline
        } else {
            Disposition::Attachment
        }
    }
}

/// A part that is no multipart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Part {
    /// The number that names it in IMAP, such as `1.2` (RFC 9051 §6.4.5.1).
    pub number: String,
    /// Type and subtype in lowercase.
    pub media_type: String,
    /// The charset as sent.
    pub charset: Option<String>,
    /// The file name as sent, decoded (RFC 2231, RFC 2047). It may hold separators and anything else: to
    /// save, use [`Part::safe_file_name`].
    pub name: Option<String>,
    /// Shown or saved.
    pub disposition: Disposition,
    /// Content-ID without the angle brackets.
    pub content_id: Option<String>,
    /// How its octets are encoded.
    pub encoding: TransferEncoding,
    /// Octets as encoded, without the line end before the next delimiter, as servers count.
    pub size: u64,
}

impl Part {
    /// A name to save the part under: one path component, no device, no control characters, no dot in
    /// front, at most 200 octets, never empty.
    pub fn safe_file_name(&self) -> String {
        file_name::safe(self.name.as_deref(), &self.media_type)
    }

    /// Whether a list should say that there is something attached.
    ///
    /// What says it is an attachment is one. Otherwise text counts if it has a file name, images unless the
    /// HTML shows them (they have a Content-ID then), and all else but what mail programs add by themselves:
    /// signatures and delivery reports.
    pub fn is_attachment(&self) -> bool {
        let by_machine = matches!(
            self.media_type.as_str(),
            "application/pgp-signature"
                | "application/pkcs7-signature"
                | "application/x-pkcs7-signature"
                | "application/pgp-encrypted"
                | "message/delivery-status"
                | "message/disposition-notification"
                | "message/feedback-report"
                | "text/rfc822-headers"
        );
        if by_machine || self.media_type.starts_with("multipart/") {
            return false;
        }
        match self.disposition {
            Disposition::Attachment => true,
            _ if self.media_type.starts_with("text/") => self.name.is_some(),
            _ if self.media_type.starts_with("image/") => self.content_id.is_none(),
            _ => true,
        }
    }
}

/// How many attachments there are among the parts of one message, in their order. What is inside an
/// attached message belongs to that.
pub fn attachment_count(parts: &[Part]) -> u16 {
    let mut count: u16 = 0;
    let mut message: Option<&str> = None;
    for part in parts {
        let inside = message
            .and_then(|number| part.number.strip_prefix(number))
            .is_some_and(|rest| rest.starts_with('.'));
        if inside {
            continue;
        }
        if matches!(part.media_type.as_str(), "message/rfc822" | "message/global") {
            message = Some(&part.number);
        }
        count = count.saturating_add(u16::from(part.is_attachment()));
    }
    count
}
