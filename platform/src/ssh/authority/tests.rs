use std::collections::BTreeSet;

use domain::ssh_public_key;
use ssh_key::Certificate;
use time::macros::datetime;
use uuid::Uuid;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05.678 UTC);

struct Bench {
    _directory: tempfile::TempDir,
    authority: Authority,
    key: PublicKey,
}

fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let keyring = Keyring::open_or_create(&directory.path().join("keys")).unwrap();
    let key = fresh_ssh_key().public_key().to_openssh().unwrap();
    Bench {
        authority: Authority::open(&keyring).unwrap(),
        key: ssh_public_key::parse(&key, &ssh_public_key::WeakKeys::none()).unwrap(),
        _directory: directory,
    }
}

impl Bench {
    fn request(&self) -> CertificateRequest<'_> {
        CertificateRequest {
            public_key: &self.key,
            user: UserId::from_uuid(Uuid::from_u128(1)),
            allocation: AllocationId::from_uuid(Uuid::from_u128(2)),
            request_id: "req-3",
            ttl_seconds: None,
            source_address: None,
            now: NOW,
        }
    }

    fn sign(&self, request: &CertificateRequest<'_>) -> (UserCertificate, Certificate) {
        let signed = self.authority.sign_user_certificate(request).unwrap();
        let read = Certificate::from_openssh(&signed.openssh).unwrap();
        (signed, read)
    }
}

#[test]
fn ssh_04_a_tenants_certificate() {
    let bench = bench();
    let (signed, read) = bench.sign(&bench.request());
    assert_eq!(read.cert_type(), CertType::User);
    assert_eq!(
        read.valid_principals(),
        ["alloc-00000000000000000000000000000002"]
    );
    assert_eq!(
        read.key_id(),
        "user_00000000000000000000000000000001/alloc_00000000000000000000000000000002/req-3"
    );
    let now = u64::try_from(NOW.unix_timestamp()).unwrap();
    assert_eq!(
        (read.valid_after(), read.valid_before()),
        (now - 60, now + 900)
    );
    assert_eq!(read.serial(), signed.serial);
    let extensions: Vec<_> = read.extensions().iter().collect();
    assert_eq!(extensions, [(&"permit-pty".to_owned(), &String::new())]);
    assert!(read.critical_options().is_empty());
    let authority =
        ssh_key::PublicKey::from_openssh(&bench.authority.public_key_openssh()).unwrap();
    assert_eq!(read.signature_key(), authority.key_data());
    read.validate_at(now, &[authority.fingerprint(ssh_key::HashAlg::Sha256)])
        .unwrap();
}

#[test]
fn ssh_04_life_is_bounded() {
    let bench = bench();
    for (ttl, fits) in [
        (0, false),
        (1, true),
        (3600, true),
        (3601, false),
        (u32::MAX, false),
    ] {
        let request = CertificateRequest {
            ttl_seconds: Some(ttl),
            ..bench.request()
        };
        let signed = bench.authority.sign_user_certificate(&request);
        assert_eq!(signed.is_ok(), fits, "{ttl}");
        if let Ok(signed) = signed {
            assert_eq!(
                (signed.valid_before - NOW).whole_seconds(),
                i64::from(ttl) - 1 + i64::from(ttl == 0)
            );
        }
    }
}

#[test]
fn ssh_04_serials_are_unique() {
    let bench = bench();
    let serials: BTreeSet<_> = (0..200)
        .map(|_| bench.sign(&bench.request()).0.serial)
        .collect();
    assert_eq!(serials.len(), 200);
    assert!(!serials.contains(&0));
}

#[test]
fn ssh_04_source_address_is_critical() {
    let bench = bench();
    let request = CertificateRequest {
        source_address: Some("203.0.113.7".parse().unwrap()),
        ..bench.request()
    };
    let (_, read) = bench.sign(&request);
    assert_eq!(
        read.critical_options().get("source-address").unwrap(),
        "203.0.113.7"
    );
}

#[test]
fn ssh_04_request_ids_cannot_shape_the_key_id() {
    let bench = bench();
    for bad in ["", "a/b", "a b", "a\nb", "é", &"x".repeat(129)] {
        let request = CertificateRequest {
            request_id: bad,
            ..bench.request()
        };
        let refused = bench.authority.sign_user_certificate(&request);
        assert!(matches!(refused, Err(AuthorityError::RequestId)), "{bad:?}");
    }
}

#[test]
fn ssh_04_berths_own_certificate_is_short_and_bare() {
    let bench = bench();
    let credentials = bench.authority.agent_credentials(NOW).unwrap();
    let read = Certificate::from_openssh(&credentials.certificate).unwrap();
    assert_eq!(read.valid_principals(), ["berth-agent"]);
    assert!(read.extensions().is_empty() && read.critical_options().is_empty());
    assert_eq!(read.valid_before() - read.valid_after(), 360);
    assert!(!format!("{credentials:?} {:?}", bench.authority).contains("PRIVATE"));
}
