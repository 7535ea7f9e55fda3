//! Looks for secrets where none may be, in five encodings (XC-01): as they are, in hexadecimal, in
//! both alphabets of base64, and percent-encoded.

use std::fmt::Write as _;
use std::path::Path;

use aho_corasick::AhoCorasick;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

/// Secrets and where they were given in.
#[derive(Debug, Default)]
pub struct Secrets(Vec<(String, Vec<u8>)>);

/// Finds any of the secrets in bytes.
#[derive(Debug)]
pub struct Scanner {
    names: Vec<String>,
    automaton: AhoCorasick,
}

impl Secrets {
    /// Remembers a secret under the name of the place where it was shown or given.
    pub fn add(&mut self, name: &str, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        assert!(
            secret.len() >= 12,
            "{name}: so short a secret would be found by chance"
        );
        self.0.push((name.to_owned(), secret.to_vec()));
    }

    pub fn scanner(&self) -> Scanner {
        let (mut names, mut patterns) = (Vec::new(), Vec::new());
        for (name, secret) in &self.0 {
            for (encoding, pattern) in encodings(secret) {
                names.push(format!("{name} ({encoding})"));
                patterns.push(pattern);
            }
        }
        let automaton = AhoCorasick::new(patterns).expect("patterns of moderate size");
        Scanner { names, automaton }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Scanner {
    /// What was found in the bytes, each with the place.
    pub fn scan(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let mut found: Vec<String> = self
            .automaton
            .find_overlapping_iter(bytes)
            .map(|hit| format!("{} in {place}", self.names[hit.pattern().as_usize()]))
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// The same in every file below a folder; what vanishes meanwhile is passed over.
    pub fn scan_folder(&self, folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.filter_map(Result::ok) {
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file()
                    && let Ok(bytes) = std::fs::read(entry.path())
                {
                    found.extend(self.scan(&entry.path().display().to_string(), &bytes));
                }
            }
        }
        found
    }
}

fn encodings(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("as it is", secret.to_vec()),
        ("hex", hex(secret).into_bytes()),
        ("HEX", hex(secret).to_uppercase().into_bytes()),
    ];
    for shift in 0..3 {
        all.push((
            "base64",
            core_of(&BASE64_STANDARD_NO_PAD, secret, shift).into_bytes(),
        ));
        all.push((
            "base64url",
            core_of(&BASE64_URL_SAFE_NO_PAD, secret, shift).into_bytes(),
        ));
    }
    let percent: String = url::form_urlencoded::byte_serialize(secret).collect();
    all.push(("percent", percent.into_bytes()));
    all
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a text takes all");
    }
    text
}

/// The characters of an encoded text that depend on the secret alone when `shift` bytes of
/// something else come before it.
fn core_of(engine: &impl base64::Engine, secret: &[u8], shift: usize) -> String {
    let mut padded = vec![0; shift];
    padded.extend(secret);
    let text = engine.encode(&padded);
    let first = (shift * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    text[first..last].to_owned()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    #[test]
    fn each_encoding_is_seen() {
        let secret = "s3cret/with+odd=signs";
        let mut secrets = Secrets::default();
        secrets.add("it", secret);
        let scanner = secrets.scanner();
        let around = |text: &str| format!("before {text} after").into_bytes();
        for (encoding, text) in [
            ("as it is", secret.to_owned()),
            ("hex", hex(secret.as_bytes())),
            (
                "base64",
                BASE64_STANDARD_NO_PAD.encode(format!("x{secret}yz")),
            ),
            (
                "base64url",
                BASE64_URL_SAFE_NO_PAD.encode(format!("xy{secret}z")),
            ),
            (
                "percent",
                url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            ),
        ] {
            let found = scanner.scan("a text", &around(&text));
            assert!(
                found.iter().any(|hit| hit.contains(encoding)),
                "{encoding}: {found:?}"
            );
        }
        assert!(scanner.scan("a text", b"nothing of the kind").is_empty());
    }
}
