//! What a host gives to authenticate with.

use std::fmt;

use zeroize::Zeroizing;

/// A password or token: overwritten when dropped, never shown by `Debug`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the secret over.
    pub fn new(secret: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(secret.into()))
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Secret {
        Secret::new(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What authenticates the user.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A user name and a password.
    Password {
        /// Who authenticates.
        user: String,
        /// Whom to act as, if somebody else. Only PLAIN and SCRAM can say it.
        authzid: Option<String>,
        /// The password.
        password: Secret,
    },
    /// An OAuth 2 access token (RFC 6750 §2.1), fresh.
    OAuth {
        /// Whose mailbox it is.
        user: String,
        /// The access token.
        token: Secret,
        /// The server's name as connected to (RFC 7628 §3.1).
        host: String,
        /// The server's port.
        port: u16,
    },
    /// What the TLS client certificate or the transport shows (RFC 4422 Appendix A).
    External {
        /// Whom to act as, if that does not follow from it.
        authzid: Option<String>,
    },
    /// Nobody in particular (RFC 4505).
    Anonymous {
        /// An address or word for the server's log, at most 255 characters; may be empty.
        trace: String,
    },
}

impl Credentials {
    /// Which kind these are.
    pub fn kind(&self) -> CredentialsKind {
        match self {
            Credentials::Password { .. } => CredentialsKind::Password,
            Credentials::OAuth { .. } => CredentialsKind::OAuth,
            Credentials::External { .. } => CredentialsKind::External,
            Credentials::Anonymous { .. } => CredentialsKind::Anonymous,
        }
    }
}

/// The kinds of [`Credentials`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialsKind {
    /// A user name and a password.
    Password,
    /// An access token.
    OAuth,
    /// Shown by the transport.
    External,
    /// None.
    Anonymous,
}

/// What ties an exchange to its TLS connection (RFC 5056), so that nobody can sit between.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelBinding {
    /// The registered name: `tls-exporter` (RFC 9266; the one for TLS 1.3), `tls-server-end-point` or
    /// `tls-unique` (RFC 5929; not with TLS 1.3).
    pub kind: String,
    /// The octets that both ends of the connection compute.
    pub data: Vec<u8>,
}

impl ChannelBinding {
    /// Whether the name can be sent (RFC 5802 §7 `cb-name`).
    pub(super) fn is_valid(&self) -> bool {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
        !self.kind.is_empty() && self.kind.bytes().all(fits) && !self.data.is_empty()
    }
}

impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBinding").field("kind", &self.kind).finish_non_exhaustive()
    }
}
