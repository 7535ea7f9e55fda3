//! ENV-14: no key comes from a command. Whoever handles keys starts no process, so that neither
//! an argument list nor an environment ever carries one.

use regex::Regex;

use super::{code_lines, none, product_sources, read};

/// Rooms and files that keys pass through.
const KEY_CODE: &[&str] = &[
    "domain/src/envelope",
    "platform/src/kms",
    "platform/src/sealing",
    "platform/src/payload",
    "platform/src/ssh",
    "db/src/sealed.rs",
    "api/src/",
];

#[test]
fn env_14_key_code_starts_no_process() {
    let starts = Regex::new(r"\bCommand::new\b|process::Command\b|\bexecve?p?\b").unwrap();
    let sources = product_sources();
    let of_keys = sources
        .iter()
        .filter(|file| KEY_CODE.iter().any(|start| file.starts_with(start)));
    let mut seen = 0;
    let mut problems = Vec::new();
    for file in of_keys {
        seen += 1;
        let text = read(file);
        problems.extend(
            code_lines(&text)
                .filter(|(_, line)| starts.is_match(line))
                .map(|(at, line)| format!("{file}:{at}: {}", line.trim())),
        );
    }
    assert!(seen > 50, "{seen} files are read");
    none(&problems, "code that handles keys starts a process:");
}
