//! What is held true of any octets. The targets in `fuzz_targets` hand these functions what the fuzzer thinks of; the test
//! `fuzz_seeds` of the engine hands them what is in `seeds`.

pub mod belief;
pub mod command;
pub mod pop_client;
pub mod pop_server;
pub mod response;
pub mod session;
