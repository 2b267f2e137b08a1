//! The mechanisms, and which of those a server offers is used.

use super::credentials::{ChannelBinding, CredentialsKind};

/// A SASL mechanism known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// EXTERNAL (RFC 4422 Appendix A)
    External,
    /// SCRAM-SHA-256-PLUS (RFC 7677)
    ScramSha256Plus,
    /// SCRAM-SHA-1-PLUS (RFC 5802)
    ScramSha1Plus,
    /// SCRAM-SHA-256 (RFC 7677)
    ScramSha256,
    /// SCRAM-SHA-1 (RFC 5802)
    ScramSha1,
    /// CRAM-MD5 (RFC 2195)
    CramMd5,
    /// OAUTHBEARER (RFC 7628)
    OAuthBearer,
    /// XOAUTH2 (Google's and Microsoft's precursor of OAUTHBEARER)
    XOAuth2,
    /// PLAIN (RFC 4616)
    Plain,
    /// LOGIN (draft-murchison-sasl-login)
    Login,
    /// ANONYMOUS (RFC 4505)
    Anonymous,
}

impl Mechanism {
    /// Every mechanism, the strongest first: those that keep the secret from the server and prove the
    /// server, those that only keep it, those that show it.
    pub const STRONGEST_FIRST: &[Mechanism] = &[
        Mechanism::External,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::CramMd5,
        Mechanism::OAuthBearer,
        Mechanism::XOAuth2,
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::Anonymous,
    ];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Mechanism::External => "EXTERNAL",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Mechanism::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha1 => "SCRAM-SHA-1",
            Mechanism::CramMd5 => "CRAM-MD5",
            Mechanism::OAuthBearer => "OAUTHBEARER",
            Mechanism::XOAuth2 => "XOAUTH2",
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
            Mechanism::Anonymous => "ANONYMOUS",
        }
    }

    /// The mechanism of a name, compared without case.
    pub fn from_name(name: &str) -> Option<Mechanism> {
        Mechanism::STRONGEST_FIRST.iter().copied().find(|known| known.name().eq_ignore_ascii_case(name))
    }

    /// Whether whoever reads the connection learns the password or token.
    pub const fn is_plaintext(self) -> bool {
        matches!(self, Mechanism::Plain | Mechanism::Login | Mechanism::OAuthBearer | Mechanism::XOAuth2)
    }

    /// Whether it binds to the TLS connection. A server that offers one such lets
    /// [`Exchange::new`](super::Exchange::new) know.
    pub const fn is_plus(self) -> bool {
        matches!(self, Mechanism::ScramSha256Plus | Mechanism::ScramSha1Plus)
    }

    /// The credentials it uses.
    pub const fn credentials(self) -> CredentialsKind {
        match self {
            Mechanism::External => CredentialsKind::External,
            Mechanism::OAuthBearer | Mechanism::XOAuth2 => CredentialsKind::OAuth,
            Mechanism::Anonymous => CredentialsKind::Anonymous,
            _ => CredentialsKind::Password,
        }
    }
}

/// The strongest mechanism that both sides have.
///
/// `secure` says that the connection is encrypted and the server's certificate accepted. Without that,
/// mechanisms that show the secret are left out unless `allow_plaintext_insecure` (a server on the same
/// machine). `binding` is needed for `-PLUS`. `restrict` leaves out every other mechanism.
pub fn choose(
    offered: &[Mechanism],
    credentials: CredentialsKind,
    secure: bool,
    allow_plaintext_insecure: bool,
    binding: Option<&ChannelBinding>,
    restrict: Option<Mechanism>,
) -> Option<Mechanism> {
    Mechanism::STRONGEST_FIRST.iter().copied().find(|mechanism| {
        offered.contains(mechanism)
            && mechanism.credentials() == credentials
            && (secure || allow_plaintext_insecure || !mechanism.is_plaintext())
            && (!mechanism.is_plus() || binding.is_some_and(ChannelBinding::is_valid))
            && restrict.is_none_or(|only| only == *mechanism)
    })
}

#[cfg(test)]
mod tests {
    use super::{ChannelBinding, CredentialsKind, Mechanism, choose};

    #[test]
    fn names_there_and_back() {
        for mechanism in Mechanism::STRONGEST_FIRST {
            assert_eq!(Mechanism::from_name(&mechanism.name().to_lowercase()), Some(*mechanism));
        }
        assert_eq!(Mechanism::from_name("GSSAPI"), None);
    }

    #[test]
    fn the_strongest_that_both_have() {
        use Mechanism::*;
        let password = CredentialsKind::Password;
        let all = Mechanism::STRONGEST_FIRST;
        let binding = ChannelBinding { kind: "tls-exporter".into(), data: vec![1; 32] };
        let bound = Some(&binding);
        let nameless = ChannelBinding { kind: "a,b".into(), data: vec![1] };
        type Case<'a> = (
            &'a [Mechanism],
            CredentialsKind,
            (bool, bool),
            Option<&'a ChannelBinding>,
            Option<Mechanism>,
            Option<Mechanism>,
        );
        let (tls, open, local) = ((true, false), (false, false), (false, true));
        let cases: &[Case<'_>] = &[
            (all, password, tls, bound, None, Some(ScramSha256Plus)),
            (all, password, tls, None, None, Some(ScramSha256)),
            (all, password, tls, Some(&nameless), None, Some(ScramSha256)),
            (&[ScramSha1Plus, ScramSha256], password, tls, bound, None, Some(ScramSha1Plus)),
            (&[ScramSha256Plus], password, tls, None, None, None),
            (&[Login, Plain], password, tls, bound, None, Some(Plain)),
            (&[Login, Plain], password, open, None, None, None),
            (&[Login, Plain], password, local, None, None, Some(Plain)),
            (&[Plain, CramMd5], password, open, None, None, Some(CramMd5)),
            (all, password, tls, bound, Some(Plain), Some(Plain)),
            (all, password, open, bound, Some(Plain), None),
            (all, password, tls, bound, Some(XOAuth2), None),
            (&[Plain], password, tls, bound, Some(ScramSha256), None),
            (all, CredentialsKind::OAuth, tls, bound, None, Some(OAuthBearer)),
            (&[XOAuth2, Plain], CredentialsKind::OAuth, tls, None, None, Some(XOAuth2)),
            (all, CredentialsKind::OAuth, open, None, None, None),
            (all, CredentialsKind::External, tls, None, None, Some(External)),
            (all, CredentialsKind::Anonymous, open, None, None, Some(Anonymous)),
            (&[], password, tls, bound, None, None),
        ];
        for &(offered, kind, (secure, allow), binding, restrict, expected) in cases {
            let chosen = choose(offered, kind, secure, allow, binding, restrict);
            assert_eq!(chosen, expected, "{offered:?} {kind:?} {secure} {allow} {restrict:?}");
        }
    }
}
