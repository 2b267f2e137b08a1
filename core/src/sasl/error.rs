//! Why an authentication exchange cannot begin or go on.

/// Who has to act on a [`SaslError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The server broke the protocol or did not prove itself. Asking the user for another password would
    /// be wrong, and may hand it to an impostor.
    Server,
    /// The credentials cannot be used, or the server has refused them.
    Credentials,
    /// The engine or its host asked for what cannot be.
    Caller,
}

/// Why an exchange cannot begin or go on. Once there is one, abort: send `*` if a challenge waits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SaslError {
    /// A challenge where the mechanism has none.
    #[error("the server asked for more than the mechanism has to say")]
    UnexpectedChallenge,
    /// A challenge that cannot be read; `what` says which piece.
    #[error("the server's {what} cannot be read")]
    Malformed {
        /// The piece.
        what: &'static str,
    },
    /// A SCRAM nonce that does not extend the client's: another exchange's answer (RFC 5802 §5.1).
    #[error("the server's nonce does not continue ours")]
    Nonce,
    /// An iteration count that is too cheap to protect the password, or dear enough to stop the device.
    #[error("the server asked for {asked} iterations, not within {least} to {most}")]
    Iterations {
        /// What the server asked for.
        asked: u64,
        /// The fewest accepted.
        least: u32,
        /// The most accepted: [`Limits::scram_iterations`](crate::limits::Limits::scram_iterations).
        most: u32,
    },
    /// A SCRAM extension that must be understood and is not (RFC 5802 §5.1 `m`).
    #[error("the server requires an extension of SCRAM that is not known here")]
    MandatoryExtension,
    /// The server's signature is wrong: it does not know the password.
    #[error("the server could not prove that it knows the password")]
    Signature,
    /// Success was announced before the server had proved that it knows the password.
    #[error("the server announced success without proving that it knows the password")]
    Unverified,
    /// Success was announced in the middle of the exchange, or after a failure.
    #[error("the server announced success where the exchange has none")]
    Unfinished,
    /// The server said why it refuses, within the exchange (RFC 5802 §7 `e`); the text is bounded.
    #[error("the server refused: {reason}")]
    Refused {
        /// The server's word, such as `invalid-proof`.
        reason: String,
    },
    /// A name, password or token that is empty or holds characters which the mechanism cannot carry.
    #[error("the {field} cannot be used with this mechanism")]
    Unusable {
        /// Which one.
        field: &'static str,
    },
    /// Credentials of a kind that the mechanism does not use.
    #[error("the mechanism uses another kind of credentials")]
    WrongKind,
    /// A `-PLUS` mechanism without channel binding, or a binding whose name cannot be sent.
    #[error("the mechanism needs channel binding")]
    Binding,
}

impl SaslError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            SaslError::UnexpectedChallenge
            | SaslError::Malformed { .. }
            | SaslError::Nonce
            | SaslError::Iterations { .. }
            | SaslError::MandatoryExtension
            | SaslError::Signature
            | SaslError::Unverified
            | SaslError::Unfinished => Fault::Server,
            SaslError::Refused { .. } | SaslError::Unusable { .. } => Fault::Credentials,
            SaslError::WrongKind | SaslError::Binding => Fault::Caller,
        }
    }
}
