//! POP3 against Cyrus, with poplib looking on.

use mailkeep_tests::corpus::generate;
use mailkeep_tests::cyrus::Cyrus;
use mailkeep_tests::imap::Client;
use mailkeep_tests::pop;
use mailkeep_tests::server::MailServer as _;

fn fill(cyrus: &Cyrus, user: &str, count: usize) {
    let mut client = Client::login(cyrus.imap_port(), user, "secret");
    client.append_all("INBOX", generate(count as u64, count, 2_000));
}

#[test]
fn policies() {
    let cyrus = Cyrus::shared();
    pop::policies(&*cyrus, &|user, count| fill(&cyrus, user, count));
}

#[test]
fn the_program() {
    let cyrus = Cyrus::shared();
    pop::program(&*cyrus, &|user, count| fill(&cyrus, user, count));
}
