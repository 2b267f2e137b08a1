//! The program against Dovecot, with all that Dovecot can do and with less and less of it.

use mailkeep_tests::dovecot::Dovecot;
use mailkeep_tests::proxy::Profile;
use mailkeep_tests::scenario::acceptance;

#[test]
fn every_capability() {
    acceptance(&*Dovecot::shared(), Profile::All);
}

#[test]
fn without_qresync() {
    acceptance(&*Dovecot::shared(), Profile::NoQresync);
}

#[test]
fn without_condstore() {
    acceptance(&*Dovecot::shared(), Profile::NoCondstore);
}

#[test]
fn plain() {
    acceptance(&*Dovecot::shared(), Profile::Plain);
}
