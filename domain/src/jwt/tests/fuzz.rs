//! Mutations of kept tokens and key sets, for a bounded time: whatever comes, the parsers answer,
//! and what they take is the one spelling of what they read. An input that breaks this belongs
//! into `corpus/jwt`, where every run begins.

use std::time::{Duration, Instant};

use super::*;

const TIME: Duration = Duration::from_secs(4);

/// Marsaglia's xorshift: this room has no randomness, and a fuzzer needs no better.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides.max(1) as u64).expect("small")
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/jwt");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).expect("a file"))
        .collect()
}

fn mutate(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    const TELLING: &[u8] = b".=-_{}[]\":,\\ \n\0\xff0aA/+";
    let mut input = corpus[dice.roll(corpus.len())].clone();
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(input.len() + 1);
        match dice.roll(6) {
            0 if at < input.len() => input[at] ^= 1 << dice.roll(8),
            1 => input.insert(at, TELLING[dice.roll(TELLING.len())]),
            2 if at < input.len() => drop(input.remove(at)),
            3 => input.truncate(at),
            4 => {
                let other = &corpus[dice.roll(corpus.len())];
                let from = dice.roll(other.len() + 1);
                let piece = other[from..].to_vec();
                input.splice(at.., piece);
            }
            _ => {
                let end = (at + dice.roll(32)).min(input.len());
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
        }
    }
    input
}

/// Panics where a parser does, or where it took another spelling of what it read.
fn hold(input: &[u8]) {
    drop(KeySet::parse(input));
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let Ok(token) = Compact::parse(text) else {
        return;
    };
    let again = format!(
        "{}.{}",
        token.signed,
        URL_SAFE_NO_PAD.encode(&token.signature)
    );
    assert_eq!(again, text, "two spellings of one token");
    let payload = token.signed.split_once('.').expect("two parts").1;
    assert_eq!(URL_SAFE_NO_PAD.encode(&token.payload), payload);
    let rules = Rules {
        clients: Vec::new(),
        ..rules()
    };
    if let Ok(key) = token.key(&key_set(), &rules.algorithms) {
        assert_eq!(key.id, "one");
    }
    if let Ok(statement) = Statement::read(&token, &rules) {
        drop(statement.check("one", &rules, NOW));
    }
}

#[test]
fn jwt_01_parsers_hold_against_mutations() {
    let corpus = corpus();
    assert!(corpus.len() > 5, "the corpus is kept");
    for input in &corpus {
        hold(input);
    }
    let begin = Instant::now();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()));
    let mut tried = 0_u64;
    while begin.elapsed() < TIME {
        for _ in 0..200 {
            let input = mutate(&mut dice, &corpus);
            let held = std::panic::catch_unwind(|| hold(&input));
            assert!(
                held.is_ok(),
                "keep this in corpus/jwt: {}",
                STANDARD.encode(&input)
            );
            tried += 1;
        }
    }
    assert!(tried > 1000, "{tried} inputs only");
}
