//! Sealing and opening a value, and the payloads of one workflow, against the bare cipher.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::envelope::column::SchedulerRequest;
use domain::envelope::{EncCtx, Owner, Stored, aead};
use platform::kms::{Keyring, Kms, LocalKms};
use platform::payload::{ENCODING, transcode};
use platform::sealing::Sealer;

const FOR: Duration = Duration::from_secs(2);
const VALUE_BYTES: usize = 1024;
/// A workflow of one whole life, recorded.
const HISTORY: &str = "tests/histories/allocation_released.json";

pub(crate) async fn run() -> Vec<String> {
    let directory = tempfile::tempdir().expect("a folder");
    let keyring = Keyring::open_or_create(&directory.path().join("keys")).expect("a keyring");
    let kms = Kms::Local(LocalKms::open(keyring).expect("keysets"));
    let sealer = Sealer::new(Arc::new(kms));
    let at: EncCtx<SchedulerRequest> =
        EncCtx::new(Owner::Organization(db::id::fresh()), &db::id::fresh());
    let value = vec![7; VALUE_BYTES];
    let envelope = sealer.seal(&at, &value).await.expect("it seals");
    let stored = Stored::from(&envelope);
    let (key, nonce) = ([1; 32], [2; 12]);
    let bare = aead::seal(&key, &nonce, b"place", &value);

    let floor_seal =
        rate(async || drop(black_box(aead::seal(&key, &nonce, b"place", &value)))).await;
    let floor_open =
        rate(async || drop(black_box(aead::open(&key, &nonce, b"place", &bare)))).await;
    let seal = rate(async || drop(black_box(sealer.seal(&at, &value).await))).await;
    let open = rate(async || drop(black_box(sealer.open(&at, &stored).await))).await;
    println!("seal: {VALUE_BYTES} bytes, one thread, {FOR:?} each, keyring");
    println!("seal                         {seal:9.0} /s");
    println!("open, data key known         {open:9.0} /s");
    println!("bare AES-256-GCM-SIV, seal   {floor_seal:9.0} /s");
    println!("bare AES-256-GCM-SIV, open   {floor_open:9.0} /s");
    let mut ratios = vec![
        format!("seal: seal / bare cipher: {:.2}", seal / floor_seal),
        format!("seal: open / bare cipher: {:.2}", open / floor_open),
    ];
    ratios.push(workflow().await);
    ratios
}

/// Every payload of a workflow's life, opened and sealed again as its worker would.
async fn workflow() -> String {
    let file = tests::stack::workspace().join(HISTORY);
    let text = std::fs::read_to_string(file).expect("it is recorded");
    let history: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let payloads = std::cell::RefCell::new(Vec::new());
    let looked = transcode(&history, &|payload| {
        payloads.borrow_mut().push(payload.clone());
        Ok(payload)
    });
    looked.expect("nothing is changed");
    let mut payloads = payloads.into_inner();
    payloads.retain(|p| {
        p.metadata
            .get("encoding")
            .is_some_and(|e| e == ENCODING.as_bytes())
    });
    let codec = tests::look::replay_codec();
    let lives = rate(async || {
        for payload in &payloads {
            let plain = codec.unseal(payload.clone()).expect("it opens");
            black_box(codec.seal(&plain).expect("it seals"));
        }
    })
    .await;
    let micros = 1e6 / lives;
    println!(
        "codec: {} payloads of one allocation's life",
        payloads.len()
    );
    println!("opened and sealed            {micros:9.0} us a workflow");
    format!(
        "codec: {micros:.0} us of CPU a workflow, {:.1} us a payload",
        micros / payloads.len() as f64
    )
}

async fn rate(mut once: impl AsyncFnMut()) -> f64 {
    let (mut count, start) = (0_u32, Instant::now());
    while start.elapsed() < FOR {
        for _ in 0..16 {
            once().await;
        }
        count += 16;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}
