//! `mailkeep-wasm-bindgen INPUT.wasm FOLDER`: runs wasm-bindgen as a library, so that nobody has to install its program in just
//! this version, and marks the glue and the `.wasm` with one build id, so that each refuses another's other half.

use std::path::Path;
use std::{env, fs, process};

use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

/// The name of both files.
const NAME: &str = "mailkeep";
/// The custom section that holds the build id.
const SECTION: &str = "mailkeep.build";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [input, folder] = arguments.as_slice() else {
        eprintln!("usage: mailkeep-wasm-bindgen INPUT.wasm FOLDER");
        process::exit(2);
    };
    if let Err(error) = run(Path::new(input), Path::new(folder)) {
        eprintln!("mailkeep-wasm-bindgen: {error}");
        process::exit(1);
    }
}

fn run(input: &Path, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).out_name(NAME).web(true)?.typescript(true).remove_name_section(true);
    // The package finds the .wasm itself: in one place, in the form that every bundler knows.
    bindgen.remove_producers_section(true).omit_default_module_path(true);
    bindgen.generate(folder)?;

    let (wasm_path, glue_path) = (folder.join(format!("{NAME}_bg.wasm")), folder.join(format!("{NAME}.js")));
    let mut wasm = fs::read(&wasm_path)?;
    let mut glue = fs::read_to_string(&glue_path)?;
    let id = build_id(&wasm, &glue);
    append_section(&mut wasm, SECTION, id.as_bytes());
    glue.push_str(&format!("\nexport const BUILD_ID = \"{id}\";\n"));
    fs::write(&wasm_path, wasm)?;
    fs::write(&glue_path, glue)?;
    let types_path = folder.join(format!("{NAME}.d.ts"));
    let types = fs::read_to_string(&types_path)? + "\nexport const BUILD_ID: string;\n";
    fs::write(types_path, types)?;
    Ok(())
}

fn build_id(wasm: &[u8], glue: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(wasm);
    hash.update(glue);
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A custom section: id 0, its length, its name's length and name, its bytes. All lengths here are below 128, so that
/// each is one octet of LEB128.
fn append_section(wasm: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    let length = 1 + name.len() + bytes.len();
    assert!(length < 128, "the section's length takes one octet");
    wasm.extend([0, length as u8, name.len() as u8]);
    wasm.extend(name.as_bytes());
    wasm.extend(bytes);
}
