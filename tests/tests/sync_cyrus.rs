//! The program against Cyrus, with all that Cyrus can do and with less and less of it.

use mailkeep_tests::cyrus::Cyrus;
use mailkeep_tests::proxy::Profile;
use mailkeep_tests::scenario::acceptance;

#[test]
fn every_capability() {
    acceptance(&*Cyrus::shared(), Profile::All);
}

#[test]
fn without_qresync() {
    acceptance(&*Cyrus::shared(), Profile::NoQresync);
}

#[test]
fn without_condstore() {
    acceptance(&*Cyrus::shared(), Profile::NoCondstore);
}

#[test]
fn plain() {
    acceptance(&*Cyrus::shared(), Profile::Plain);
}
