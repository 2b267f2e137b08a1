//! Three databases and another mail program at work on the same mail of Dovecot, with all that it can do and with less and less
//! of it.

use mailkeep_tests::dovecot::Dovecot;
use mailkeep_tests::proxy::Profile;
use mailkeep_tests::story::plot::play;

#[test]
fn every_capability() {
    play(&*Dovecot::shared(), Profile::All);
}

#[test]
fn without_qresync() {
    play(&*Dovecot::shared(), Profile::NoQresync);
}

#[test]
fn without_condstore() {
    play(&*Dovecot::shared(), Profile::NoCondstore);
}

#[test]
fn plain() {
    play(&*Dovecot::shared(), Profile::Plain);
}
