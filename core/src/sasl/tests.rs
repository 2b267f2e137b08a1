use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::scram::{Binding, Hash, Scram};
use super::{ChannelBinding, Credentials, Exchange, Fault, Mechanism, SaslError, Secret};
use crate::limits::Limits;

const LIMITS: &Limits = &Limits::DEFAULT;
const NONCE: [u8; 18] = [7; 18];
/// [`NONCE`] as it is sent.
const SENT_NONCE: &str = "BwcHBwcHBwcHBwcHBwcHBwcH";

fn password(user: &str, password: &str) -> Credentials {
    Credentials::Password { user: user.into(), authzid: None, password: Secret::new(password) }
}

fn acting_as(authzid: &str) -> Credentials {
    Credentials::Password {
        user: "Kurt".into(),
        authzid: Some(authzid.into()),
        password: Secret::new("xipj3plmq"),
    }
}

fn token() -> Credentials {
    Credentials::OAuth {
        user: "user@example.com".into(),
        token: Secret::new("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="),
        host: "server.example.com".into(),
        port: 143,
    }
}

fn begin(mechanism: Mechanism, credentials: &Credentials) -> Result<Exchange, SaslError> {
    Exchange::new(mechanism, credentials, None, false, NONCE, LIMITS)
}

fn initial(mechanism: Mechanism, credentials: &Credentials) -> String {
    let initial = begin(mechanism, credentials).unwrap().initial().expect("the client speaks first");
    String::from_utf8(initial).unwrap()
}

#[test]
fn plain() {
    // RFC 4616 §4
    assert_eq!(initial(Mechanism::Plain, &password("tim", "tanstaaftanstaaf")), "\0tim\0tanstaaftanstaaf");
    assert_eq!(initial(Mechanism::Plain, &acting_as("Ursel")), "Ursel\0Kurt\0xipj3plmq");
    let mut exchange = begin(Mechanism::Plain, &password("tim", "p\u{e4}ss")).unwrap();
    assert!(exchange.can_pipeline_behind() && exchange.is_expecting_nothing_more());
    assert_eq!(exchange.verify_success(), Ok(()));
    assert_eq!(exchange.respond(b"more?"), Err(SaslError::UnexpectedChallenge));
}

#[test]
fn note_15_an_ignored_initial_response_is_said_again_once() {
    let cases = [
        (Mechanism::Plain, password("tim", "x"), Err(SaslError::UnexpectedChallenge)),
        (Mechanism::ScramSha256, password("tim", "x"), Err(SaslError::Malformed { what: "SCRAM message" })),
        (Mechanism::XOAuth2, token(), Ok(Vec::new())),
        (
            Mechanism::External,
            Credentials::External { authzid: Some("fred".into()) },
            Err(SaslError::UnexpectedChallenge),
        ),
    ];
    for (mechanism, credentials, after) in cases {
        let mut exchange = begin(mechanism, &credentials).unwrap();
        assert_eq!(exchange.respond(b""), Ok(exchange.initial().unwrap()), "{mechanism:?}");
        assert_eq!(exchange.respond(b""), after, "{mechanism:?}");
    }
}

#[test]
fn login() {
    let mut exchange = begin(Mechanism::Login, &password("tim", "secret")).unwrap();
    assert_eq!(exchange.initial(), None);
    assert!(!exchange.can_pipeline_behind() && !exchange.is_expecting_nothing_more());
    assert_eq!(exchange.respond(b"Username:").unwrap(), b"tim");
    assert_eq!(exchange.verify_success(), Err(SaslError::Unfinished));
    assert_eq!(exchange.respond(b"").unwrap(), b"secret");
    assert!(exchange.is_expecting_nothing_more());
    assert_eq!(exchange.verify_success(), Ok(()));
    assert_eq!(exchange.respond(b"Password:"), Err(SaslError::UnexpectedChallenge));
}

#[test]
fn cram_md5() {
    let mut exchange = begin(Mechanism::CramMd5, &password("tim", "tanstaaftanstaaf")).unwrap();
    assert_eq!(exchange.initial(), None);
    assert!(!exchange.can_pipeline_behind());
    assert_eq!(exchange.verify_success(), Err(SaslError::Unfinished));
    // RFC 2195 §2
    let answer = exchange.respond(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
    assert_eq!(answer, b"tim b913a602c7eda7a495b4e6e7334d3890");
    assert!(exchange.is_expecting_nothing_more());
    assert_eq!(exchange.verify_success(), Ok(()));
    assert_eq!(exchange.respond(b"<again@x>"), Err(SaslError::UnexpectedChallenge));

    for challenge in [b"".to_vec(), vec![b'x'; 1 << 20]] {
        let mut exchange = begin(Mechanism::CramMd5, &password("tim", "x")).unwrap();
        assert_eq!(exchange.respond(&challenge).unwrap_err().fault(), Fault::Server);
    }
}

#[test]
fn external_and_anonymous() {
    assert_eq!(initial(Mechanism::External, &Credentials::External { authzid: None }), "");
    assert_eq!(initial(Mechanism::External, &Credentials::External { authzid: Some("fred".into()) }), "fred");
    let anonymous = |trace: &str| Credentials::Anonymous { trace: trace.into() };
    assert_eq!(initial(Mechanism::Anonymous, &anonymous("sirhc")), "sirhc");
    assert_eq!(initial(Mechanism::Anonymous, &anonymous("")), "");
    for trace in ["a\nb", &"x".repeat(256)] {
        let refused = begin(Mechanism::Anonymous, &anonymous(trace)).unwrap_err();
        assert_eq!(refused, SaslError::Unusable { field: "trace" });
    }
}

#[test]
fn oauth_messages() {
    // RFC 7628 §4.1 and Google's description of XOAUTH2.
    assert_eq!(
        initial(Mechanism::OAuthBearer, &token()),
        "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01\
         auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
    );
    assert_eq!(
        initial(Mechanism::XOAuth2, &token()),
        "user=user@example.com\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
    );
    let odd = |user: &str, token: &str, host: &str| Credentials::OAuth {
        user: user.into(),
        token: Secret::new(token),
        host: host.into(),
        port: 993,
    };
    assert_eq!(initial(Mechanism::OAuthBearer, &odd("", "t", "")), "n,,\x01auth=Bearer t\x01\x01");
    assert_eq!(initial(Mechanism::OAuthBearer, &odd("a,b", "t", "")), "n,a=a=2Cb,\x01auth=Bearer t\x01\x01");
    for (credentials, field) in [
        (odd("a\x01auth=Bearer x", "t", "h"), "user name"),
        (odd("a", "t\x01", "h"), "access token"),
        (odd("a", "t t", "h"), "access token"),
        (odd("a", "", "h"), "access token"),
        (odd("a", "t", "h\x01"), "host name"),
    ] {
        for mechanism in [Mechanism::OAuthBearer, Mechanism::XOAuth2] {
            assert_eq!(begin(mechanism, &credentials).unwrap_err(), SaslError::Unusable { field });
        }
    }
}

#[test]
fn note_73_a_refused_token_is_answered_so_that_the_no_can_come() {
    let json = br#"{"status":"invalid_token","scope":"https://mail.example.com/"}"#;
    for (mechanism, reply) in [(Mechanism::OAuthBearer, &b"\x01"[..]), (Mechanism::XOAuth2, b"")] {
        let mut exchange = begin(mechanism, &token()).unwrap();
        assert!(!exchange.can_pipeline_behind());
        assert_eq!((exchange.failure_detail(), exchange.verify_success()), (None, Ok(())));
        assert_eq!(exchange.respond(json).unwrap(), reply);
        assert_eq!(exchange.failure_detail().unwrap().as_bytes(), json);
        assert_eq!(exchange.verify_success(), Err(SaslError::Unfinished));
        assert_eq!(exchange.respond(json), Err(SaslError::UnexpectedChallenge));
    }
}

#[test]
fn failure_details_are_bounded_and_tame() {
    let mut exchange = begin(Mechanism::XOAuth2, &token()).unwrap();
    let mut detail = b"\x1b[31m\r\n\xff".to_vec();
    detail.extend("\u{e4}".repeat(1 << 20).bytes());
    exchange.respond(&detail).unwrap();
    let shown = exchange.failure_detail().unwrap();
    assert!(shown.len() <= LIMITS.server_text && shown.starts_with(" [31m  \u{fffd}\u{e4}"), "{shown}");
}

#[test]
fn what_cannot_be_carried_is_refused() {
    use Mechanism::*;
    let passwords = [CramMd5, Login, Plain, ScramSha1, ScramSha256];
    for mechanism in passwords {
        for (credentials, field) in [
            (password("", "x"), "user name"),
            (password("a\0b", "x"), "user name"),
            (password("a", ""), "password"),
            (password("a", "x\0y"), "password"),
        ] {
            let error = begin(mechanism, &credentials).unwrap_err();
            assert_eq!(error, SaslError::Unusable { field }, "{mechanism:?}");
            assert_eq!(error.fault(), Fault::Credentials);
        }
        assert_eq!(begin(mechanism, &token()).unwrap_err(), SaslError::WrongKind);
    }
    for mechanism in [CramMd5, Login] {
        let error = begin(mechanism, &acting_as("Ursel")).unwrap_err();
        assert_eq!(error, SaslError::Unusable { field: "authorization name" });
    }
    for mechanism in [External, Anonymous, OAuthBearer, XOAuth2] {
        let error = begin(mechanism, &password("a", "b")).unwrap_err();
        assert_eq!((error.clone(), error.fault()), (SaslError::WrongKind, Fault::Caller), "{mechanism:?}");
    }
    for mechanism in [ScramSha1Plus, ScramSha256Plus] {
        assert_eq!(begin(mechanism, &password("a", "b")).unwrap_err(), SaslError::Binding);
        let nameless = ChannelBinding { kind: "a,b".into(), data: vec![1] };
        let error = Exchange::new(mechanism, &password("a", "b"), Some(&nameless), true, NONCE, LIMITS);
        assert_eq!(error.unwrap_err(), SaslError::Binding);
    }
}

#[test]
fn debug_shows_no_secret() {
    let credentials = password("tim", "tanstaaf");
    assert!(!format!("{credentials:?}").contains("tanstaaf"));
    for mechanism in [Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5, Mechanism::ScramSha1] {
        let exchange = begin(mechanism, &credentials).unwrap();
        assert!(!format!("{exchange:?}").contains("tanstaaf"));
    }
}

fn scram(hash: Hash, nonce: &str) -> Scram {
    Scram::new(hash, "user", None, "pencil", &Binding::None, nonce.into(), LIMITS).unwrap()
}

#[test]
fn scram_as_the_rfcs_show_it() {
    struct Vector {
        hash: Hash,
        nonce: &'static str,
        server_first: &'static str,
        client_final: &'static str,
        server_final: &'static str,
    }
    let vectors = [
        // RFC 5802 §5
        Vector {
            hash: Hash::Sha1,
            nonce: "fyko+d2lbbFgONRv9qkxdawL",
            server_first: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            client_final: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
                           p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            server_final: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        },
        // RFC 7677 §3
        Vector {
            hash: Hash::Sha256,
            nonce: "rOprNGfwEbeRWgbNEkqO",
            server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                           s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            client_final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                           p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            server_final: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        },
    ];
    for vector in vectors {
        let mut scram = scram(vector.hash, vector.nonce);
        assert_eq!(scram.client_first(), format!("n,,n=user,r={}", vector.nonce).into_bytes());
        let client_final = scram.respond(vector.server_first.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(client_final).unwrap(), vector.client_final);
        assert!(!scram.is_verified());
        assert_eq!(scram.respond(vector.server_final.as_bytes()).unwrap(), b"");
        assert!(scram.is_verified());
        assert_eq!(scram.respond(b""), Err(SaslError::UnexpectedChallenge));
    }
}

#[test]
fn scram_says_what_binding_there_is() {
    let binding = ChannelBinding { kind: "tls-exporter".into(), data: b"\0\xff12".to_vec() };
    let begun = |mechanism, credentials: &Credentials, binding: Option<&ChannelBinding>, offered| {
        Exchange::new(mechanism, credentials, binding, offered, NONCE, LIMITS).unwrap()
    };
    let tim = password("t,i=m", "x");
    let name = format!("n=t=2Ci=3Dm,r={SENT_NONCE}");
    let cases = [
        (Mechanism::ScramSha256, None, false, "n,,"),
        (Mechanism::ScramSha256, None, true, "n,,"),
        (Mechanism::ScramSha256, Some(&binding), false, "y,,"),
        (Mechanism::ScramSha256, Some(&binding), true, "n,,"),
        (Mechanism::ScramSha256Plus, Some(&binding), true, "p=tls-exporter,,"),
        (Mechanism::ScramSha1Plus, Some(&binding), true, "p=tls-exporter,,"),
    ];
    for (mechanism, binding, offered, header) in cases {
        let mut exchange = begun(mechanism, &tim, binding, offered);
        assert!(!exchange.can_pipeline_behind());
        assert_eq!(exchange.initial().unwrap(), format!("{header}{name}").into_bytes());
        let server_first = format!("r={SENT_NONCE}x,s=QSXCR+Q6sek8bf92,i=1024,x=ignored");
        let client_final = String::from_utf8(exchange.respond(server_first.as_bytes()).unwrap()).unwrap();
        let mut input = header.as_bytes().to_vec();
        if header.starts_with('p') {
            input.extend_from_slice(b"\0\xff12");
        }
        let sent = client_final.strip_prefix("c=").unwrap().split(',').next().unwrap();
        assert_eq!(STANDARD.decode(sent).unwrap(), input);
    }
    let acting = begun(Mechanism::ScramSha1, &acting_as("a,b"), None, false).initial().unwrap();
    assert!(acting.starts_with(b"n,a=a=2Cb,n=Kurt,r="));
}

#[test]
fn note_59_hostile_server_first_messages() {
    let malformed = |what| SaslError::Malformed { what };
    let iterations = |asked| SaslError::Iterations { asked, least: 1_024, most: LIMITS.scram_iterations };
    let cases: &[(&[u8], SaslError)] = &[
        (b"", malformed("SCRAM message")),
        (b"\xff", malformed("SCRAM message")),
        (b"r", malformed("SCRAM message")),
        (b"r=abcX", malformed("SCRAM message")),
        (b"s=QSXC,r=abcX,i=4096", malformed("SCRAM message")),
        (b"r=abcX,s=QSXC,i=4096,", malformed("SCRAM message")),
        (b"r=abcX,s=QSXC,i=4096,12", malformed("SCRAM message")),
        (b"r=abc,s=QSXC,i=4096", SaslError::Nonce),
        (b"r=ab,s=QSXC,i=4096", SaslError::Nonce),
        (b"r=,s=QSXC,i=4096", SaslError::Nonce),
        (b"r=Xabc,s=QSXC,i=4096", SaslError::Nonce),
        (b"r=abc\r\nX,s=QSXC,i=4096", malformed("SCRAM nonce")),
        (b"r=abcX,s=,i=4096", malformed("SCRAM salt")),
        (b"r=abcX,s=!!!!,i=4096", malformed("SCRAM salt")),
        (b"r=abcX,s=QSXC,i=", malformed("SCRAM iteration count")),
        (b"r=abcX,s=QSXC,i=-1", malformed("SCRAM iteration count")),
        (b"r=abcX,s=QSXC,i=+4096", malformed("SCRAM iteration count")),
        (b"r=abcX,s=QSXC,i=04096", malformed("SCRAM iteration count")),
        (b"r=abcX,s=QSXC,i=0", malformed("SCRAM iteration count")),
        (b"r=abcX,s=QSXC,i=4096.5", malformed("SCRAM iteration count")),
        (b"r=abcX,s=QSXC,i=1", iterations(1)),
        (b"r=abcX,s=QSXC,i=1023", iterations(1_023)),
        (b"r=abcX,s=QSXC,i=1000001", iterations(1_000_001)),
        (b"r=abcX,s=QSXC,i=4294967296", iterations(1 << 32)),
        (b"r=abcX,s=QSXC,i=99999999999999999999999", iterations(u64::MAX)),
        (b"m=ext,r=abcX,s=QSXC,i=4096", SaslError::MandatoryExtension),
        (b"r=abcX,s=QSXC,i=4096,m=ext", SaslError::MandatoryExtension),
        (b"e=unknown-user", SaslError::Refused { reason: "unknown-user".into() }),
    ];
    for (challenge, expected) in cases {
        for hash in [Hash::Sha1, Hash::Sha256] {
            let mut scram = scram(hash, "abc");
            let shown = challenge.escape_ascii();
            assert_eq!(scram.respond(challenge).as_ref(), Err(expected), "{shown}");
            assert!(!scram.is_verified());
            let honest = b"r=abcX,s=QSXC,i=4096";
            assert_eq!(scram.respond(honest), Err(SaslError::UnexpectedChallenge), "{shown}");
        }
    }
}

#[test]
fn note_59_hostile_server_final_messages() {
    let refused = |reason: &str| SaslError::Refused { reason: reason.into() };
    let malformed = SaslError::Malformed { what: "SCRAM message" };
    let cases: &[(&[u8], SaslError)] = &[
        (b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", SaslError::Signature),
        (b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", SaslError::Signature),
        (b"v=", SaslError::Signature),
        (b"v=6rri", SaslError::Signature),
        (b"v=?", SaslError::Signature),
        (b"", malformed.clone()),
        (b"v", malformed.clone()),
        (b"\xff", malformed.clone()),
        (b"x=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", malformed.clone()),
        (b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,,", malformed),
        (b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,m=x", SaslError::MandatoryExtension),
        (b"e=invalid-proof", refused("invalid-proof")),
        (b"e=other-error,x=y", refused("other-error")),
        (b"e=a\r\nb", refused("a  b")),
    ];
    for (challenge, expected) in cases {
        let mut scram = scram(Hash::Sha256, "rOprNGfwEbeRWgbNEkqO");
        let first = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        scram.respond(first).unwrap();
        let shown = challenge.escape_ascii();
        assert_eq!(scram.respond(challenge).as_ref(), Err(expected), "{shown}");
        assert!(!scram.is_verified(), "{shown}");
        let honest = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(scram.respond(honest), Err(SaslError::UnexpectedChallenge), "{shown}");
    }
}

#[test]
fn note_59_success_without_proof_is_an_impostors() {
    let mut exchange = begin(Mechanism::ScramSha256, &password("user", "pencil")).unwrap();
    assert_eq!(exchange.verify_success(), Err(SaslError::Unverified));
    assert!(!exchange.is_expecting_nothing_more());
    let server_first = format!("r={SENT_NONCE}x,s=QSXCR+Q6sek8bf92,i=4096");
    exchange.respond(server_first.as_bytes()).unwrap();
    assert_eq!(exchange.verify_success(), Err(SaslError::Unverified));
    assert_eq!(exchange.respond(b"v=AAAA"), Err(SaslError::Signature));
    let error = exchange.verify_success().unwrap_err();
    assert_eq!((error.clone(), error.fault()), (SaslError::Unverified, Fault::Server));
}

#[test]
fn reasons_are_bounded() {
    let mut scram = scram(Hash::Sha1, "abc");
    let challenge = format!("e={}", "x".repeat(10_000));
    let Err(SaslError::Refused { reason }) = scram.respond(challenge.as_bytes()) else { panic!("refused") };
    assert_eq!(reason.len(), LIMITS.server_text);
}
