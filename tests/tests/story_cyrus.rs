//! Three databases and another mail program at work on the same mail of Cyrus, with all that it can do and with less and less
//! of it.

use mailkeep_tests::cyrus::Cyrus;
use mailkeep_tests::proxy::Profile;
use mailkeep_tests::story::plot::play;

#[test]
fn every_capability() {
    play(&*Cyrus::shared(), Profile::All);
}

#[test]
fn without_qresync() {
    play(&*Cyrus::shared(), Profile::NoQresync);
}

#[test]
fn without_condstore() {
    play(&*Cyrus::shared(), Profile::NoCondstore);
}

#[test]
fn plain() {
    play(&*Cyrus::shared(), Profile::Plain);
}
