use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::envelope::Stored;
use serde_json::{Value, json};
use time::macros::datetime;

use super::*;
use crate::kms::{Keyring, Kms, LocalKms};

/// A table of keys in memory, with the two rules that the schema has.
#[derive(Clone, Default)]
struct Table {
    rows: Arc<Mutex<Vec<SigningKey>>>,
    reads: Arc<AtomicUsize>,
    away: Arc<AtomicBool>,
}

impl KeyStore for Table {
    fn read(&self) -> BoxFuture<'_, anyhow::Result<Vec<SigningKey>>> {
        Box::pin(async {
            anyhow::ensure!(!self.away.load(Ordering::SeqCst), "away");
            self.reads.fetch_add(1, Ordering::SeqCst);
            let rows = lock(&self.rows).clone().into_iter();
            Ok(rows
                .filter(|key| key.state != SigningKeyState::Revoked)
                .collect())
        })
    }

    fn add(&self, new: NewSigningKey) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async move {
            let mut rows = lock(&self.rows);
            let is = |key: &SigningKey, state| key.purpose == new.purpose && key.state == state;
            let next = SigningKeyState::PrePublished;
            if !rows.iter().any(|key| is(key, next)) {
                rows.push(row(&new));
            }
            if !rows.iter().any(|key| is(key, SigningKeyState::Active)) {
                let next = rows.iter_mut().find(|key| is(key, next));
                next.expect("one was added").state = SigningKeyState::Active;
            }
            Ok(())
        })
    }
}

impl Table {
    fn set(&self, kid: &Kid, state: SigningKeyState) {
        let mut rows = lock(&self.rows);
        let row = rows.iter_mut().find(|key| key.kid == *kid);
        row.expect("it is there").state = state;
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

fn row(new: &NewSigningKey) -> SigningKey {
    SigningKey {
        kid: new.public.kid(),
        purpose: new.purpose,
        state: SigningKeyState::PrePublished,
        public: new.public,
        private: Some(Stored::from(&new.private)),
        created_at: datetime!(2026-01-01 0:00 UTC),
        activated_at: None,
        retiring_at: None,
        revoked_at: None,
        age_seconds: 0.0,
    }
}

fn sealer() -> (tempfile::TempDir, Sealer) {
    let directory = tempfile::tempdir().unwrap();
    let keyring = Keyring::open_or_create(&directory.path().join("keys")).unwrap();
    let kms = Kms::Local(LocalKms::open(keyring).unwrap());
    (directory, Sealer::new(Arc::new(kms)))
}

fn signer(table: &Table) -> (tempfile::TempDir, Signer) {
    let (directory, sealer) = sealer();
    (directory, Signer::new(table.clone(), sealer))
}

const PURPOSE: Purpose = Purpose::JwtSigner;

#[tokio::test(start_paused = true)]
async fn keys_are_made_when_needed_and_the_next_with_them() {
    let table = Table::default();
    let (_directory, signer) = signer(&table);
    let key = signer.active(PURPOSE).await.unwrap();
    let signature = key.sign(b"m").unwrap();
    let holds = async |purpose, message: &'static [u8]| {
        signer
            .verify(purpose, key.kid(), message, &signature)
            .await
            .unwrap()
    };
    assert!(holds(PURPOSE, b"m").await);
    assert!(!holds(PURPOSE, b"n").await);
    // A key of one purpose is none of the other.
    assert!(!holds(Purpose::TerminalSigner, b"m").await);
    let mut made: Vec<_> = lock(&table.rows)
        .iter()
        .map(|key| (key.purpose, key.state))
        .collect();
    made.sort();
    assert_eq!(
        made,
        [
            (Purpose::JwtSigner, SigningKeyState::PrePublished),
            (Purpose::JwtSigner, SigningKeyState::Active),
            (Purpose::TerminalSigner, SigningKeyState::PrePublished),
            (Purpose::TerminalSigner, SigningKeyState::Active),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_promoted_key_signs_and_a_revoked_one_ends_within_the_copys_age() {
    let table = Table::default();
    let (_directory, signer) = signer(&table);
    let old = signer.active(PURPOSE).await.unwrap();
    let signature = old.sign(b"m").unwrap();
    let next = lock(&table.rows)
        .iter()
        .find(|key| key.purpose == PURPOSE && key.state == SigningKeyState::PrePublished)
        .map(|key| key.kid.clone())
        .unwrap();
    table.set(old.kid(), SigningKeyState::Retiring);
    table.set(&next, SigningKeyState::Active);
    tokio::time::advance(MAX_COPY_AGE).await;
    assert_eq!(*signer.active(PURPOSE).await.unwrap().kid(), next);
    let holds = async || {
        signer
            .verify(PURPOSE, old.kid(), b"m", &signature)
            .await
            .unwrap()
    };
    assert!(holds().await, "what a retiring key signed holds");
    table.set(old.kid(), SigningKeyState::Revoked);
    tokio::time::advance(MAX_COPY_AGE).await;
    assert!(!holds().await);
    assert!(
        !signer
            .published()
            .await
            .unwrap()
            .json
            .contains(old.kid().as_str())
    );
    // A new next one was made meanwhile.
    let set: Value = serde_json::from_str(&signer.published().await.unwrap().json).unwrap();
    assert_eq!(set["keys"].as_array().unwrap().len(), 4);
    assert!(published_key(&set, &next, PURPOSE).is_some());
    assert!(published_key(&set, &next, Purpose::TerminalSigner).is_none());
}

#[tokio::test(start_paused = true)]
async fn without_a_look_at_the_keys_nothing_is_signed_or_believed() {
    let table = Table::default();
    let (_directory, signer) = signer(&table);
    let key = signer.active(PURPOSE).await.unwrap();
    let signature = key.sign(b"m").unwrap();
    table.away.store(true, Ordering::SeqCst);
    assert!(signer.active(PURPOSE).await.is_ok(), "the copy is young");
    tokio::time::advance(MAX_COPY_AGE).await;
    assert!(signer.active(PURPOSE).await.is_err());
    assert!(
        signer
            .verify(PURPOSE, key.kid(), b"m", &signature)
            .await
            .is_err()
    );
    assert!(signer.published().await.is_err());
    table.away.store(false, Ordering::SeqCst);
    assert!(signer.active(PURPOSE).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn unknown_names_make_few_looks() {
    let table = Table::default();
    let (_directory, signer) = signer(&table);
    signer.active(PURPOSE).await.unwrap();
    let before = table.reads();
    tokio::time::advance(UNKNOWN_PAUSE).await;
    for n in 0..100 {
        let kid = PublicKey::from_bytes([n; 32]).kid();
        assert!(!signer.verify(PURPOSE, &kid, b"m", &[0; 64]).await.unwrap());
    }
    assert_eq!(table.reads(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_seed_moved_to_another_row_does_not_sign() {
    let table = Table::default();
    let (_directory, sealer) = sealer();
    let first = Signer::new(table.clone(), sealer.clone());
    first.active(PURPOSE).await.unwrap();
    let swap = || {
        let mut rows = lock(&table.rows);
        let active = |key: &&mut SigningKey| key.state == SigningKeyState::Active;
        let [one, other] = rows
            .iter_mut()
            .filter(active)
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        std::mem::swap(&mut one.private, &mut other.private);
    };
    swap();
    // A process that starts now has no seed in memory.
    let fresh = Signer::new(table.clone(), sealer);
    for purpose in Purpose::ALL {
        assert!(fresh.active(*purpose).await.is_err(), "{purpose}");
    }
    swap();
    tokio::time::advance(MAX_COPY_AGE).await;
    for purpose in Purpose::ALL {
        assert!(fresh.active(*purpose).await.is_ok(), "{purpose}");
    }
}

/// RFC 8037, appendix A.4: a JWS with this key.
#[test]
fn the_signature_of_rfc_8037() {
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let seed = decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let public = decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let public = PublicKey::from_bytes(public.try_into().unwrap());
    let seed = Seed::from_opened(&seed.into(), &public).unwrap();
    let key = ActiveKey::new(public, Arc::new(seed));
    let input = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = key.sign(input).unwrap();
    assert_eq!(
        BASE64_URL_SAFE_NO_PAD.encode(signature),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    assert!(verify(&public, input, &signature));
}

/// What is published as invalid is refused, through the seam that receipts and tickets use.
#[test]
fn wycheproof_ed25519() {
    let text = include_str!("../../../tests/vectors/wycheproof/ed25519_test.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let hex = |value: &Value| -> Vec<u8> {
        let text = value.as_str().unwrap().as_bytes();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        text.chunks(2).map(byte).collect()
    };
    let mut counted = json!({"valid": 0, "invalid": 0});
    for group in vectors["testGroups"].as_array().unwrap() {
        let key: [u8; 32] = hex(&group["publicKey"]["pk"]).try_into().unwrap();
        let key = PublicKey::from_bytes(key);
        for test in group["tests"].as_array().unwrap() {
            let result = test["result"].as_str().unwrap();
            let holds = verify(&key, &hex(&test["msg"]), &hex(&test["sig"]));
            assert_eq!(holds, result == "valid", "{test}");
            counted[result] = json!(counted[result].as_u64().unwrap() + 1);
        }
    }
    let (valid, invalid) = (&counted["valid"], &counted["invalid"]);
    assert!(
        valid.as_u64() > Some(50) && invalid.as_u64() > Some(50),
        "{counted}"
    );
}
