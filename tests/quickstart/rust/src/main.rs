//! README.md's quick start.

include!(concat!(env!("OUT_DIR"), "/quick_start.rs"));
