//! Bodies that share a blob, and go one by one.

mod support;

use mailkeep::BodyPolicy;
use support::{Host, Mail, ModelServer, Tier, mail};

const DAY: u64 = 86_400_000;

/// Messages of all sizes, of which some go for good: the others keep every byte.
fn some_go(shrink: bool, delay: u64) {
    let server = ModelServer::new(Tier::Everything);
    for n in 1..=40 {
        let raw = match n % 4 {
            0 => mail(n),
            1 => Mail::new(n).text(&"word for word ".repeat(n as usize * 40)).build(),
            2 => Mail::new(n).attachment(n as usize * 700).build(),
            _ => Mail::new(n).attachment(90_000).build(),
        };
        server.deliver("INBOX", raw);
    }
    let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::All);
    host.knobs.commit_delay = delay;
    host.sync_all();
    host.assert_in_step();
    for round in 0..3 {
        let gone: Vec<u32> = (1..=40).filter(|uid| uid % 5 == round).collect();
        server.expunge("INBOX", &gone);
        if shrink {
            while !host.engine.shrink(100_000).expect("a step").done {}
        }
        let before = host.engine.verify().expect("a report").octets;
        // The first pass hides them, one that comes later takes them away.
        for _ in 0..9 {
            host.drop_connection();
            host.sync_all();
            host.pass_ms(DAY);
        }
        host.assert_in_step();
        let report = host.engine.verify().expect("a report");
        assert_eq!(report.problems, Vec::<String>::new());
        assert!(report.octets < before, "{} of {before} octets are left", report.octets);
    }
}

#[test]
fn a_body_goes_and_its_neighbours_stay() {
    some_go(false, 250);
    some_go(false, 1);
}

#[test]
fn a_body_goes_from_among_compressed_ones() {
    some_go(true, 250);
}

/// The same bytes are known again by their Message-ID, however many others bear it.
#[test]
fn bytes_are_known_again_among_many_of_one_message_id() {
    let server = ModelServer::new(Tier::Bare);
    let raw = |n: u32| Mail::new(n).message_id(Some("one@for.all")).build();
    for n in 1..=40 {
        server.deliver("INBOX", raw(n));
    }
    let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::All);
    host.sync_all();
    let before = host.engine.verify().expect("a report").bodies;
    assert_eq!(before, 40);
    server.create("Copies");
    for n in 1..=40 {
        server.deliver("Copies", raw(n));
    }
    host.drop_connection();
    host.sync_all();
    host.assert_in_step();
    assert_eq!(host.engine.verify().expect("a report").bodies, before, "no bytes are here twice");
}
