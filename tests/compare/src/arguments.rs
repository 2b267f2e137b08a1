//! The command lines of the measuring programs.

use std::str::FromStr;

/// What is left of a command line.
#[derive(Debug)]
pub struct Arguments {
    left: Vec<String>,
    usage: &'static str,
}

impl Arguments {
    /// This process's; ends it with the usage where help is asked for.
    pub fn new(usage: &'static str) -> Self {
        let left: Vec<String> = std::env::args().skip(1).collect();
        if left.iter().any(|word| word == "--help" || word == "-h") {
            println!("{usage}");
            std::process::exit(0);
        }
        Self { left, usage }
    }

    /// Whether a word is there; takes it.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.left.len();
        self.left.retain(|word| word != name);
        self.left.len() < before
    }

    /// The value behind a word, where it is there; takes both.
    pub fn value<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let at = self.left.iter().position(|word| word == name)?;
        let parsed = self.left.get(at + 1).and_then(|value| value.parse().ok());
        if parsed.is_none() {
            self.refuse(&format!("{name} needs a value"));
        }
        self.left.drain(at..at + 2);
        parsed
    }

    /// Ends the process where a word is left that nobody knows.
    pub fn finish(self) {
        if let Some(word) = self.left.first() {
            self.refuse(&format!("{word}: no such option"));
        }
    }

    fn refuse(&self, why: &str) -> ! {
        eprintln!("{why}\n{}", self.usage);
        std::process::exit(2);
    }
}
