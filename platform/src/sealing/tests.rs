use domain::envelope::Owner;
use domain::envelope::column::SchedulerRequest;
use domain::id::{AllocationId, OrgId};
use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::*;
use crate::kms::{Keyring, LocalKms};

fn sealer(directory: &tempfile::TempDir) -> Sealer {
    let keyring = Keyring::open_or_create(&directory.path().join("keys")).unwrap();
    Sealer::new(Arc::new(Kms::Local(LocalKms::open(keyring).unwrap())))
}

fn place(org: u128, row: u128) -> EncCtx<SchedulerRequest> {
    let org = OrgId::from_uuid(Uuid::from_u128(org));
    EncCtx::new(
        Owner::Organization(org),
        &AllocationId::from_uuid(Uuid::from_u128(row)),
    )
}

#[tokio::test]
async fn env_03_a_value_opens_at_its_place_alone_and_refusals_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let sealer = sealer(&directory);
    let recorder = PrometheusBuilder::new().build_recorder();
    let _here = metrics::set_default_local_recorder(&recorder);
    let envelope = sealer.seal(&place(1, 1), b"secret").await.unwrap();
    let stored = Stored::from(&envelope);
    let opened = sealer.open(&place(1, 1), &stored).await.unwrap();
    assert_eq!(opened.expose_secret(), b"secret");
    for elsewhere in [place(1, 2), place(2, 1)] {
        let refused = sealer.open(&elsewhere, &stored).await;
        assert!(matches!(refused, Err(OpenError::Refused(Refusal::Place))));
    }
    let mut json = envelope.to_json();
    json["v"] = 2.into();
    let refused = sealer.open(&place(1, 1), &Stored::new(json.clone())).await;
    assert!(matches!(refused, Err(OpenError::Refused(Refusal::Version))));
    json["v"] = 1.into();
    // A key of another kind does not open columns, even if it is ours.
    json["kid"] = "payload".into();
    let refused = sealer.open(&place(1, 1), &Stored::new(json)).await;
    assert!(matches!(refused, Err(OpenError::Refused(Refusal::Key))));
    let metrics = recorder.handle().render();
    for line in [
        r#"enc_decrypt_fail_total{reason="aad"} 2"#,
        r#"enc_decrypt_fail_total{reason="version"} 1"#,
        r#"enc_decrypt_fail_total{reason="key"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn env_04_a_damaged_wrapping_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let sealer = sealer(&directory);
    let envelope = sealer
        .seal(&place(1, 1), b"secret")
        .await
        .unwrap()
        .to_json();
    let other = sealer.seal(&place(1, 1), b"other").await.unwrap().to_json();
    let edk = envelope["edk"].as_str().unwrap();
    for index in 0..edk.len() {
        let mut json = envelope.clone();
        let letter = if edk.as_bytes()[index] == b'A' {
            "B"
        } else {
            "A"
        };
        let mut changed = edk.to_owned();
        changed.replace_range(index..=index, letter);
        json["edk"] = changed.into();
        let refused = sealer.open(&place(1, 1), &Stored::new(json)).await;
        assert!(matches!(refused, Err(OpenError::Refused(_))), "{index}");
    }
    // ENV-06: another value's data key of the same place unwraps and is not the one.
    let mut json = envelope;
    json["edk"] = other["edk"].clone();
    let refused = sealer.open(&place(1, 1), &Stored::new(json)).await;
    assert!(matches!(
        refused,
        Err(OpenError::Refused(Refusal::Commitment))
    ));
}

#[tokio::test]
async fn env_11_many_readers_fetch_a_key_once() {
    let directory = tempfile::tempdir().unwrap();
    let sealer = sealer(&directory);
    let cache = Cache::new();
    let envelope = sealer.seal(&place(1, 1), b"secret").await.unwrap();
    let envelope = Stored::from(&envelope).envelope().unwrap();
    let binding = place(1, 1).binding();
    let fetched = std::sync::atomic::AtomicUsize::new(0);
    let get = || {
        cache.get(&envelope, &binding, || async {
            fetched.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            tokio::task::yield_now().await;
            sealer
                .0
                .kms
                .unwrap(envelope.key(), envelope.edk(), &binding)
                .await
        })
    };
    let keys = futures::future::join_all((0..100).map(|_| get())).await;
    assert!(keys.iter().all(Result::is_ok));
    assert_eq!(fetched.load(std::sync::atomic::Ordering::SeqCst), 1);
    // Another place is another key, whatever the wrapped one.
    let elsewhere = place(1, 2).binding();
    let other = cache.get(&envelope, &elsewhere, || {
        sealer
            .0
            .kms
            .unwrap(envelope.key(), envelope.edk(), &elsewhere)
    });
    assert!(matches!(&*other.await.err().unwrap(), KmsError::Refused));
}

#[tokio::test]
async fn env_02_no_data_key_or_nonce_repeats() {
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20_000 {
        let (key, fresh) = draw().unwrap();
        assert!(seen.insert(key.expose().to_vec()));
        assert!(seen.insert(fresh.nonce.to_vec()));
        assert!(seen.insert(fresh.mid.to_vec()));
    }
}
