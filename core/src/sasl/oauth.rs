//! OAuth access tokens: OAUTHBEARER (RFC 7628) and XOAUTH2.

use zeroize::Zeroizing;

use super::error::SaslError;
use super::prepare::escape_name;
use super::shown_text;
use crate::limits::Limits;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Bearer,
    XOAuth2,
}

/// The server answers a refused token with a challenge that holds JSON, and says NO only after a reply
/// to it (RFC 7628 §3.2.3).
pub(super) struct OAuth {
    dialect: Dialect,
    detail: Option<String>,
    text_limit: usize,
}

impl OAuth {
    pub(super) fn new(dialect: Dialect, limits: &Limits) -> OAuth {
        OAuth { dialect, detail: None, text_limit: limits.server_text }
    }

    pub(super) fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
        if self.detail.is_some() {
            return Err(SaslError::UnexpectedChallenge);
        }
        self.detail = Some(shown_text(challenge, self.text_limit));
        Ok(match self.dialect {
            Dialect::Bearer => vec![1],
            Dialect::XOAuth2 => Vec::new(),
        })
    }

    pub(super) fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

/// The client's message. A control character in any field would begin another.
pub(super) fn message(
    dialect: Dialect,
    user: &str,
    token: &str,
    host: &str,
    port: u16,
) -> Result<Zeroizing<Vec<u8>>, SaslError> {
    let unusable = |field| Err(SaslError::Unusable { field });
    if user.contains(char::is_control) || (user.is_empty() && dialect == Dialect::XOAuth2) {
        return unusable("user name");
    }
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return unusable("access token");
    }
    if host.contains(char::is_control) {
        return unusable("host name");
    }
    let mut head = match dialect {
        Dialect::XOAuth2 => format!("user={user}\x01"),
        Dialect::Bearer if user.is_empty() => "n,,\x01".to_owned(),
        Dialect::Bearer => format!("n,a={},\x01", escape_name(user)),
    };
    if dialect == Dialect::Bearer && !host.is_empty() {
        head.push_str(&format!("host={host}\x01port={port}\x01"));
    }
    let mut message = Zeroizing::new(Vec::with_capacity(head.len() + token.len() + 30));
    for piece in [head.as_str(), "auth=Bearer ", token, "\x01\x01"] {
        message.extend_from_slice(piece.as_bytes());
    }
    Ok(message)
}
