//! Secrets of the installation itself.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use platform::settings::{Settings, Source};
use serde_json::Value as Json;
use tests::scan::Secrets;
use tests::{Replica, Stack};

use super::{data, marker};

/// What the installation itself must keep: its keys on disk and its passwords.
pub(super) fn its_own(stack: &Stack, secrets: &mut Secrets) {
    secrets.add("the operator's key", stack.env("BERTH_ADMIN_KEY"));
    secrets.add("the owner's key", stack.env("BERTH_API_KEY"));
    for entry in std::fs::read_dir(data(stack).join("keyring")).expect("the keyring") {
        let path = entry.expect("a key").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.extension().is_some_and(|kind| kind == "pub") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a key");
        for line in text.split(['\n', '"']).filter(|part| part.len() >= 40) {
            if line.starts_with("-----") {
                continue;
            }
            secrets.add(&format!("{name} of the keyring"), line);
            if let Ok(bytes) = BASE64_STANDARD.decode(line) {
                secrets.add(&format!("{name} of the keyring, decoded"), bytes);
            }
        }
    }
    let memory = std::fs::read(data(stack).join("stack.json")).expect("the stack's memory");
    let memory: Json = serde_json::from_slice(&memory).expect("JSON");
    for (role, password) in memory["passwords"].as_object().expect("passwords") {
        let password = password.as_str().expect("a password");
        secrets.add(&format!("the password of {role}"), password);
    }
}

/// A setting with that secret in it.
type Value<'a> = &'a dyn Fn(&str) -> String;

/// Settings that hold a secret, each bad in a way that stops the start: what is said then is scanned.
pub(super) async fn bad_settings(stack: &Stack, secrets: &mut Secrets) -> Vec<String> {
    let bad: [(&str, Value<'_>); 6] = [
        ("DATABASE_URL", &|secret| {
            format!("postgres://u:{secret}@h:none/db")
        }),
        ("REDIS_URL", &|secret| format!("redis://:{secret}@h:none")),
        ("NATS_URL", &|secret| format!("nats://u:{secret}@h:none")),
        ("INTERNAL_JWKS_REFRESH_TOKEN", &|secret| {
            secret[..20].to_owned()
        }),
        ("OIDC_CLIENT_SECRET", &str::to_owned),
        ("BERTH_DATABASE_WORKER_URL", &|secret| {
            format!("mysql://u:{secret}@h/db")
        }),
    ];
    let mut own = Secrets::default();
    let mut said = String::new();
    for (name, value) in bad {
        // In an address only what an address may hold, so that nothing but the rest is bad.
        let secret = format!("{:032x}", rand::random::<u128>());
        said.push_str(&Replica::refused(stack, &[(name, &value(&secret))]).await);
        let shown = if name == "INTERNAL_JWKS_REFRESH_TOKEN" {
            &secret[..20]
        } else {
            &secret
        };
        own.add(name, shown);
        secrets.add(name, shown);
    }
    assert!(said.contains("DATABASE_URL"), "{said}");
    own.scanner()
        .scan("what a start that fails says", said.as_bytes())
}

/// What a panic would say that shows the values which hold secrets.
pub(super) fn panics() -> Vec<String> {
    let (secret, token) = (format!("{:032x}", rand::random::<u128>()), marker());
    let values = [
        ("DATABASE_URL", format!("postgres://u:{secret}@h/db")),
        ("REDIS_URL", format!("redis://:{secret}@h")),
        ("NATS_URL", format!("nats://u:{secret}@h")),
        ("TEMPORAL_ADDRESS", "h:7233".to_owned()),
        ("OIDC_ISSUER_URL", "https://id.example".to_owned()),
        ("OIDC_CLIENT_ID", "berth".to_owned()),
        ("OIDC_CLIENT_SECRET", token.clone()),
        ("BERTH_PUBLIC_URL", "https://berth.example".to_owned()),
    ];
    let values = values.iter().map(|(name, value)| (*name, value.as_str()));
    let settings = Settings::from_source(&Source::of_values(values)).expect("sound settings");
    let session = domain::browser_session::SessionSecret::new(rand::random());
    let revealed = session.reveal().to_string();
    let values: [Box<dyn std::fmt::Debug + Send + Sync>; 2] =
        [Box::new(settings), Box::new(session)];
    let mut own = Secrets::default();
    for (name, text) in [
        ("a password", secret),
        ("a client's secret", token),
        ("a session", revealed),
    ] {
        own.add(name, &text);
    }
    let scanner = own.scanner();
    let said = values.into_iter().map(|value| {
        let shown = format!("{value:?}");
        let panicked = std::panic::catch_unwind(|| panic!("{shown}"));
        let said = panicked.expect_err("it panics");
        said.downcast_ref::<String>().expect("a text").clone()
    });
    said.flat_map(|said| scanner.scan("a panic", said.as_bytes()))
        .collect()
}
