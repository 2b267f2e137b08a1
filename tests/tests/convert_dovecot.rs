//! From POP3 to IMAP on one Dovecot, without a second download. `tests/compare` does it with 20,000 messages.

use mailkeep_tests::conversion::convert;
use mailkeep_tests::corpus::generate;
use mailkeep_tests::dovecot::Dovecot;
use mailkeep_tests::program::Program;

#[test]
fn from_pop3_to_imap() {
    let dovecot = Dovecot::shared();
    let report = convert(&dovecot, |database| Program::new(database, "secret"), generate(11, 400, 22_000));
    assert!(report.percent() < 3.0, "{:.2} %: {report:?}", report.percent());
    assert_eq!(report.left_over, 5);
}
