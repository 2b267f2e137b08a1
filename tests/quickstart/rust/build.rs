//! Takes the first block of Rust out of README.md.

use std::path::Path;
use std::{env, fs};

const README: &str = include_str!("../../../README.md");

fn main() {
    let block = README.split("```rust\n").nth(1).and_then(|rest| rest.split("```\n").next());
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("quick_start.rs");
    fs::write(out, block.expect("README.md has a block of Rust")).expect("the folder is writable");
}
