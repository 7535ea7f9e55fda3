use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Public lists of ways out of a folder; of the longest, every twentieth line. `{FILE}` is the place
/// of what an attacker is after.
const CORPUS: [&str; 5] = [
    include_str!("../../corpus/traversal/deep_traversal.txt"),
    include_str!("../../corpus/traversal/directory_traversal.txt"),
    include_str!("../../corpus/traversal/dot-slash-pairing.txt"),
    include_str!("../../corpus/traversal/dotdotpwn.txt"),
    include_str!("../../corpus/traversal/traversals-8-deep-exotic-encoding.txt"),
];

/// Each line as it is, and behind names that are harmless.
fn candidates() -> impl Iterator<Item = String> {
    CORPUS
        .iter()
        .flat_map(|list| list.lines())
        .flat_map(|line| {
            let line = line.replace("{FILE}", "etc/passwd");
            [
                format!("usage_records/{line}"),
                format!("a/b/c/d/e/f/g/h/{line}"),
                format!("a{line}"),
                line,
            ]
        })
}

/// Where a path leads for somebody who decodes it `times` and follows it then.
fn depth(path: &str, times: usize) -> i64 {
    let mut path = path.to_owned();
    for _ in 0..times {
        path = percent_decode_str(&path).decode_utf8_lossy().into_owned();
    }
    let mut depth = 0i64;
    let mut least = 0;
    for segment in path.split(['/', '\\']) {
        match segment {
            ".." => depth -= 1,
            "" | "." => {}
            _ => depth += 1,
        }
        least = least.min(depth);
    }
    least
}

#[test]
fn nothing_of_the_corpus_leads_out() {
    let (mut refused, mut taken) = (0, 0);
    for candidate in candidates() {
        match candidate.parse::<ObjectPath>() {
            Err(_) => refused += 1,
            Ok(path) => {
                taken += 1;
                assert!(!path.as_str().starts_with('/'), "{candidate}");
                for times in 0..3 {
                    assert!(depth(path.as_str(), times) >= 0, "{candidate}");
                }
            }
        }
    }
    // What is taken are names with odd characters, and no more.
    assert!(refused > 8 * taken, "{refused} refused, {taken} taken");
}

#[test]
fn what_is_wrong_is_said() {
    let long = "a".repeat(SEGMENT_BYTES + 1);
    let longer = "a/".repeat(PATH_BYTES / 2) + "a";
    for (text, why) in [
        ("", BadPath::Length),
        (long.as_str(), BadPath::Length),
        (longer.as_str(), BadPath::Length),
        ("a\0b", BadPath::Character),
        ("a\nb", BadPath::Character),
        ("a\\b", BadPath::Character),
        ("a\u{85}b", BadPath::Character),
        ("/a", BadPath::Segment),
        ("a/", BadPath::Segment),
        ("a//b", BadPath::Segment),
        (".", BadPath::Segment),
        ("a/./b", BadPath::Segment),
        ("a/../b", BadPath::Segment),
        ("a./b", BadPath::Segment),
        ("a /b", BadPath::Segment),
        ("a%2Eb", BadPath::Encoded),
        ("a%2fb", BadPath::Encoded),
        ("a%5Cb", BadPath::Encoded),
        ("a%252e%252e", BadPath::Encoded),
        ("a/%c0%ae%c0%ae/b", BadPath::Encoded),
        ("a%00b", BadPath::Character),
        ("a/b%20", BadPath::Segment),
    ] {
        assert_eq!(text.parse::<ObjectPath>(), Err(why), "{text:?}");
    }
    for text in ["a", "a/b.c", "..a/b", "100%/b", "a%20b", "über/ﬁ"] {
        let path: ObjectPath = text.parse().expect(text);
        assert_eq!(path.as_str(), text.nfc().collect::<String>());
    }
}

#[test]
fn two_ways_to_write_a_character_are_one_path() {
    let composed: ObjectPath = "\u{e9}t\u{e9}".parse().expect("a path");
    let apart: ObjectPath = "e\u{301}te\u{301}".parse().expect("a path");
    assert_eq!(composed, apart);
}

proptest! {
    #[test]
    fn normalizing_twice_changes_nothing(text in "\\PC{1,40}(/\\PC{1,40}){0,3}") {
        if let Ok(path) = text.parse::<ObjectPath>() {
            prop_assert_eq!(path.as_str().parse::<ObjectPath>(), Ok(path));
        }
    }

    #[test]
    fn no_key_is_one_of_another_namespace(one in "[a-z./%-]{1,30}", other in "[a-z./%-]{1,30}") {
        let (Ok(one), Ok(other)) = (one.parse::<ObjectPath>(), other.parse::<ObjectPath>()) else {
            return Ok(());
        };
        let keys = Namespace::ALL.iter().flat_map(|namespace| {
            [&one, &other].map(|path| ObjectKey { namespace: *namespace, path: path.clone() })
        });
        let keys: BTreeSet<_> = keys.collect();
        let written: BTreeSet<_> = keys.iter().map(ToString::to_string).collect();
        prop_assert_eq!(written.len(), keys.len());
        for key in keys {
            let text = key.to_string();
            let (namespace, path) = text.split_once('/').expect("a slash");
            prop_assert_eq!(namespace.parse::<Namespace>(), Ok(key.namespace));
            prop_assert_eq!(path.parse::<ObjectPath>(), Ok(key.path));
        }
    }
}
