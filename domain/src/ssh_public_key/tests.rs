use proptest::prelude::*;

use super::*;

/// `<line>\t<fingerprint>`: made by `ssh-keygen`, fingerprints as `ssh-keygen -l` prints them.
/// Keys of hardware tokens are put together by hand around such keys.
const ACCEPTED: &str = include_str!("vectors/accepted.txt");
/// `<code>\t<line>`: made by `ssh-keygen`, or put together by hand where it refuses to.
const REFUSED: &str = include_str!("vectors/refused.txt");

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHSlWTAu+JY1gG1I3ue4Z1awm8wdan6imK+L89TjiU9y";

fn code(error: PublicKeyError) -> &'static str {
    match error {
        PublicKeyError::WeakRsa { .. } => "weak_rsa",
        PublicKeyError::RsaExponent => "rsa_exponent",
        PublicKeyError::LongRsa => "long_rsa",
        PublicKeyError::Malformed => "malformed",
        PublicKeyError::Roca => "roca",
        PublicKeyError::Guessable => "guessable",
        PublicKeyError::Algorithm => "algorithm",
        PublicKeyError::Private
        | PublicKeyError::TooLong
        | PublicKeyError::NotOneLine
        | PublicKeyError::NotPrintable => "hygiene",
    }
}

fn parse(text: &str) -> Result<PublicKey, PublicKeyError> {
    super::parse(text, &WeakKeys::none())
}

/// The list's one line is the end of what `ssh-keygen -l -E md5` prints for the key.
#[test]
fn ssh_02_keys_of_a_list_are_refused_and_no_others() {
    let mut weak = WeakKeys::none();
    weak.add("# comment\n\n9c4a93972f3c8c327e67\n00000000000000000000\n")
        .unwrap();
    assert_eq!(weak.len(), 2);
    let refused = super::parse(&format!("{KEY} old@laptop"), &weak);
    assert_eq!(refused, Err(PublicKeyError::Guessable));
    let vectors = ACCEPTED.lines().map(|v| v.split_once('\t').unwrap().0);
    for other in vectors.filter(|line| *line != KEY) {
        assert!(super::parse(other, &weak).is_ok());
    }
}

#[test]
fn ssh_02_what_is_no_list_is_refused() {
    for (list, line) in [
        ("0000000000000000000", 1),
        ("00000000000000000000\n0000000000000000000g", 2),
        ("000000000000000000000", 1),
    ] {
        let error = WeakKeys::none().add(list).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("line {line} is not 20 hexadecimal digits")
        );
    }
}

#[test]
fn ssh_02_accepted_vectors_agree_with_ssh_keygen() {
    let vectors: Vec<_> = ACCEPTED.lines().collect();
    assert!(vectors.len() >= 20);
    for vector in vectors {
        let (line, fingerprint) = vector.split_once('\t').unwrap();
        let key = parse(&format!("{line} some comment\n")).unwrap();
        assert_eq!(key.openssh, line);
        assert_eq!(key.fingerprint_sha256, fingerprint);
        assert!(line.starts_with(&key.algorithm));
    }
}

#[test]
fn ssh_02_short_rsa_is_taken_with_a_warning() {
    let warnings: Vec<_> = ACCEPTED
        .lines()
        .filter_map(|vector| parse(vector.split_once('\t').unwrap().0).unwrap().warning)
        .collect();
    assert_eq!(warnings, [Warning::ShortRsa(2048), Warning::ShortRsa(3070)]);
}

#[test]
fn ssh_02_refused_vectors() {
    let vectors: Vec<_> = REFUSED.lines().collect();
    assert!(vectors.len() >= 19);
    for vector in vectors {
        let (expected, line) = vector.split_once('\t').unwrap();
        let error = parse(line).unwrap_err();
        assert_eq!(code(error), expected, "{line:.60}");
    }
}

#[test]
fn ssh_01_hygiene_comes_before_parsing() {
    let cases: &[(String, PublicKeyError)] = &[
        (format!("{KEY}\n{KEY}"), PublicKeyError::NotOneLine),
        (format!("{KEY}\n{KEY}\n"), PublicKeyError::NotOneLine),
        (format!("{KEY}\r{KEY}"), PublicKeyError::NotOneLine),
        (format!("{KEY}\r\n"), PublicKeyError::NotOneLine),
        (format!("{KEY}\n\n"), PublicKeyError::NotOneLine),
        (format!("{KEY} a\0b"), PublicKeyError::NotPrintable),
        (format!("{KEY}\0"), PublicKeyError::NotPrintable),
        (format!("{KEY} caf\u{e9}"), PublicKeyError::NotPrintable),
        (format!("{KEY} \u{202e}"), PublicKeyError::NotPrintable),
        (format!("{KEY} \u{2028}"), PublicKeyError::NotPrintable),
        (format!("{KEY}\tcomment"), PublicKeyError::NotPrintable),
        (format!("{KEY} \u{1b}[31m"), PublicKeyError::NotPrintable),
        (
            format!("{KEY} {}", "c".repeat(MAX_BYTES)),
            PublicKeyError::TooLong,
        ),
        (format!("no-pty {KEY}"), PublicKeyError::Malformed),
        (format!("command=\"sh\" {KEY}"), PublicKeyError::Malformed),
        (
            format!("from=\"*\",cert-authority {KEY}"),
            PublicKeyError::Malformed,
        ),
        (format!("ssh-x=\"y\" {KEY}"), PublicKeyError::Malformed),
        (
            format!("@cert-authority * {KEY}"),
            PublicKeyError::Malformed,
        ),
        (format!(" {KEY}"), PublicKeyError::Malformed),
        (KEY.replace(' ', "  "), PublicKeyError::Malformed),
        (
            KEY.replacen("ssh-ed25519", "ssh-rsa", 1),
            PublicKeyError::Malformed,
        ),
        (
            KEY.replacen("ssh-ed25519", "ssh-dss", 1),
            PublicKeyError::Algorithm,
        ),
        (format!("{KEY}=="), PublicKeyError::Malformed),
        (format!("{KEY}AAAA"), PublicKeyError::Malformed),
        (KEY[..KEY.len() - 8].to_owned(), PublicKeyError::Malformed),
        ("ssh-ed25519".to_owned(), PublicKeyError::Malformed),
        ("ssh-ed25519 ".to_owned(), PublicKeyError::Malformed),
        ("garbage".to_owned(), PublicKeyError::Malformed),
        (String::new(), PublicKeyError::Malformed),
        ("\n".to_owned(), PublicKeyError::Malformed),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).unwrap_err(), *expected, "{text:.80?}");
    }
}

#[test]
fn ssh_02_private_keys_are_named_as_such_and_not_repeated() {
    let frame = |kind: &str| format!("-----BEGIN {kind}PRIVATE KEY-----\nc2VjcmV0\n");
    for text in [
        frame("OPENSSH "),
        frame("RSA "),
        frame("EC "),
        frame("ENCRYPTED "),
        frame(""),
        "PuTTY-User-Key-File-3: ssh-ed25519\nc2VjcmV0\n".to_owned(),
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAc2VjcmV0".to_owned(),
        format!(
            "-----BEGIN RSA PRIVATE KEY-----\n{}",
            "c2VjcmV0".repeat(MAX_BYTES)
        ),
    ] {
        let error = parse(&text).unwrap_err();
        assert_eq!(error, PublicKeyError::Private);
        assert!(!error.to_string().contains("c2VjcmV0"));
    }
}

#[test]
fn ssh_01_the_comment_does_not_come_back() {
    let key = parse(&format!("{KEY} environment=\"X=Y\" ann@example.com")).unwrap();
    assert_eq!(key.openssh, KEY);
}

proptest! {
    /// Whatever is sent: what is taken is written back as one line of two plain words, the same
    /// one when it is sent again.
    #[test]
    fn ssh_01_what_is_written_is_ours(
        prefix in prop::sample::select(vec!["", "ssh-ed25519 ", KEY, "command=\"x\" "]),
        junk in "(\\PC|[\\x00-\\x1f])*",
    ) {
        if let Ok(key) = parse(&format!("{prefix}{junk}")) {
            prop_assert_eq!(key.openssh.split(' ').count(), 2);
            let plain = |b: u8| b.is_ascii_alphanumeric() || b" +/=@.-".contains(&b);
            prop_assert!(key.openssh.bytes().all(plain));
            prop_assert_eq!(parse(&key.openssh).unwrap(), key);
        }
    }

    #[test]
    fn ssh_02_random_moduli_are_not_roca(bytes in prop::collection::vec(any::<u8>(), 384)) {
        let mut modulus = bytes;
        modulus[0] |= 0x80;
        modulus[383] |= 1;
        let key = ssh_key::public::RsaPublicKey {
            e: ssh_key::Mpint::from_positive_bytes(&[1, 0, 1]).unwrap(),
            n: ssh_key::Mpint::from_positive_bytes(&modulus).unwrap(),
        };
        prop_assert_eq!(rsa::judge(&key), Ok(None));
    }
}
