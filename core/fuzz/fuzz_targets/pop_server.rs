#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| mailkeep_fuzz::pop_server::run(octets));
