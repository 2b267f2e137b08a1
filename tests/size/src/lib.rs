//! Everything of the engine that a binding would reach, behind one exported function: what the linker keeps
//! is what a `.so` or a `.wasm` of it weighs.

use mailkeep::sasl::{Credentials, Secret};
use mailkeep::{AccountSettings, ConnectionOptions, Engine, EngineOptions, MemoryStorage, Now, SyncScope};

/// Drives an engine with whatever bytes it is given; returns a number that depends on all it was asked, or a
/// negative error code.
#[unsafe(no_mangle)]
pub extern "C" fn mailkeep_drive(seed: u64, byte: u8, count: usize) -> i64 {
    drive(seed, &vec![byte; count]).unwrap_or_else(|error| -i64::from(error.code()))
}

fn drive(seed: u64, input: &[u8]) -> mailkeep::Result<i64> {
    let engine = Engine::open(MemoryStorage::new(), EngineOptions::small(seed))?;
    let account = engine.add_account(AccountSettings::imap("a", "localhost", "b"))?;
    let mut connection = engine.connect(account, ConnectionOptions::new([seed as u8; 32], true))?;
    connection.sync(SyncScope::account());
    let password = Secret::new(seed.to_string());
    connection.provide_credentials(Credentials::Password { user: "b".into(), authzid: None, password })?;
    while connection.poll_transmit().is_some() || connection.poll_event().is_some() {}
    connection.handle_input(Now::new(seed, seed as i64), input)?;
    while connection.poll_transmit().is_some() || connection.poll_event().is_some() {}
    let mut parts = 0;
    for mailbox in engine.mailboxes(account)? {
        connection.watch([mailbox.id]);
        for row in engine.messages(mailbox.id, None, 50)?.rows {
            let message = engine.message(row.id)?;
            let request = connection.fetch(row.id);
            connection.cancel(request);
            connection.fetch_part(row.id, "1");
            let text = engine.text(row.id)?.map_or(0, |t| t.len());
            let html = engine.html(row.id)?.map_or(0, |t| t.len());
            let part = engine.part(row.id, "1")?.map_or(0, |p| p.len());
            parts += message.details.parts.len() + text + html + part;
        }
    }
    connection.logout();
    engine.backup_to(MemoryStorage::new(), seed)?;
    engine.shrink(1 << 20)?;
    engine.compact()?;
    engine.suspend()?;
    engine.resume()?;
    engine.acknowledge_new_mail(&engine.new_mail(10)?)?;
    let found = engine.verify()?.problems.len() as i64;
    Ok(engine.stats()?.messages as i64 + found + parts as i64)
}
