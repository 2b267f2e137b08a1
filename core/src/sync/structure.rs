//! A server's BODYSTRUCTURE as the parts of a message.

use crate::imap::body::{BodyStructure, PartKind};
use crate::imap::text::NString;
use crate::limits::Limits;
use crate::message::{Disposition, Part, TransferEncoding};

/// The leaf parts that a structure names, in the order of the message.
pub(crate) fn parts(structure: &BodyStructure<'_>, limits: &Limits) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    for part in structure.parts(limits) {
        if part.kind == PartKind::Multipart || part.kind == PartKind::TooDeep {
            continue;
        }
        let text = |s: NString<'_>| s.map(|t| t.lossy().chars().take(limits.field_text).collect::<String>());
        let lower = |s: NString<'_>| text(s).map(|t| t.to_ascii_lowercase());
        let media_type = match (lower(part.media_type), lower(part.subtype)) {
            (Some(media), Some(sub)) => format!("{media}/{sub}"),
            _ => "application/octet-stream".to_owned(),
        };
        let attached = part.disposition.is_some_and(|d| d.kind.lossy().eq_ignore_ascii_case("attachment"));
        parts.push(Part {
            number: part.path.to_string(),
            media_type,
            charset: lower(part.params.get("charset")),
            name: text(part.filename()),
            disposition: if attached { Disposition::Attachment } else { Disposition::Inline },
            content_id: text(part.content_id).map(|id| id.trim_matches(['<', '>']).to_owned()),
            encoding: lower(part.encoding)
                .map_or(TransferEncoding::default(), |e| TransferEncoding::from_name(&e)),
            size: part.size,
        });
    }
    Some(parts)
}
