//! Makes the store that every language reads, and what Rust reads of it: `fixture FOLDER` leaves `mail.redb` and
//! `readout.json` there.

use std::path::Path;

use mailkeep::{Engine, EngineOptions, FileStorage};
use mailkeep_tests::fixture;

fn main() {
    let folder = std::env::args().nth(1).expect("usage: fixture FOLDER");
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).expect("the folder can be made");
    let store = folder.join("mail.redb");
    match std::fs::remove_file(&store) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{}: {error}", store.display()),
        _ => {}
    }
    fixture::make(&store);
    let engine =
        Engine::open(FileStorage::existing(&store), EngineOptions::new(1)).expect("it was just made");
    let readout = fixture::readout(&engine).expect("it reads");
    engine.close();
    let text = serde_json::to_string_pretty(&readout).expect("JSON");
    std::fs::write(folder.join("readout.json"), text).expect("the disk has room");
}
