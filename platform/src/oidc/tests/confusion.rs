//! JWT-03: a key is for one algorithm, and a token cannot talk us into another.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::jwt::{Algorithm, KeySet};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use ring::{hmac, rsa};
use serde_json::{Value, json};

use super::accept;

const ALGORITHMS: [&str; 14] = [
    "none", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "EdDSA",
];
const KINDS: [&str; 5] = ["RSA", "P-256", "P-384", "Ed25519", "oct"];

struct Keys {
    random: SystemRandom,
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl Keys {
    fn new() -> Self {
        let random = SystemRandom::new();
        let ec = |algorithm: &'static signature::EcdsaSigningAlgorithm| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap()
        };
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            rsa: published_rsa(),
            p256: ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            p384: ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            ed25519: Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap(),
            random,
        }
    }

    fn jwk(&self, kind: &str) -> Value {
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = |crv: &str, point: &[u8]| {
            let (x, y) = point[1..].split_at(point.len() / 2);
            json!({"kty": "EC", "crv": crv, "x": b64(x), "y": b64(y)})
        };
        let mut jwk = match kind {
            "RSA" => {
                let public = rsa::PublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
                json!({"kty": "RSA", "n": b64(&public.n), "e": b64(&public.e)})
            }
            "P-256" => point(kind, self.p256.public_key().as_ref()),
            "P-384" => point(kind, self.p384.public_key().as_ref()),
            "Ed25519" => {
                json!({"kty": "OKP", "crv": kind, "x": b64(self.ed25519.public_key().as_ref())})
            }
            _ => json!({"kty": "oct", "k": b64(&[1; 32])}),
        };
        jwk["kid"] = json!(kind);
        jwk["use"] = json!("sig");
        jwk
    }

    fn set(&self) -> KeySet {
        let keys: Vec<Value> = KINDS.iter().map(|kind| self.jwk(kind)).collect();
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    /// The best signature that whoever has this key can make under this name.
    fn sign(&self, kind: &str, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let mac = |secret: &[u8]| {
            let algorithm = match algorithm {
                "HS384" => hmac::HMAC_SHA384,
                "HS512" => hmac::HMAC_SHA512,
                _ => hmac::HMAC_SHA256,
            };
            let key = hmac::Key::new(algorithm, secret);
            hmac::sign(&key, message).as_ref().to_vec()
        };
        match (algorithm, kind) {
            ("none", _) => Vec::new(),
            (_, "oct") => mac(&[1; 32]),
            (name, kind) if name.starts_with("HS") => mac(self.jwk(kind).to_string().as_bytes()),
            (_, "RSA") => self.sign_rsa(algorithm, message),
            (_, "P-256") => self
                .p256
                .sign(&self.random, message)
                .unwrap()
                .as_ref()
                .to_vec(),
            (_, "P-384") => self
                .p384
                .sign(&self.random, message)
                .unwrap()
                .as_ref()
                .to_vec(),
            _ => self.ed25519.sign(message).as_ref().to_vec(),
        }
    }

    fn sign_rsa(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let padding: &dyn signature::RsaEncoding = match algorithm {
            "RS384" => &signature::RSA_PKCS1_SHA384,
            "RS512" => &signature::RSA_PKCS1_SHA512,
            "PS256" => &signature::RSA_PSS_SHA256,
            "PS384" => &signature::RSA_PSS_SHA384,
            "PS512" => &signature::RSA_PSS_SHA512,
            _ => &signature::RSA_PKCS1_SHA256,
        };
        let mut signed = vec![0; self.rsa.public().modulus_len()];
        self.rsa
            .sign(padding, &self.random, message, &mut signed)
            .unwrap();
        signed
    }

    fn token(&self, kind: &str, algorithm: &str, key_id: Option<&str>) -> String {
        let mut header = json!({"typ": "at+jwt", "alg": algorithm});
        if let Some(id) = key_id {
            header["kid"] = json!(id);
        }
        signed(&header, |message| self.sign(kind, algorithm, message))
    }
}

fn signed(header: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode("{}"));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// *ring* makes no RSA keys: this one is Wycheproof's, and everybody's.
fn published_rsa() -> RsaKeyPair {
    let text = include_str!("../../../../tests/vectors/wycheproof/json_web_signature_test.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let groups = vectors["testGroups"].as_array().unwrap();
    let private = groups.iter().map(|group| &group["private"]).find(|key| {
        key["kty"] == "RSA"
            && key["n"].as_str().is_some_and(|n| n.len() >= 342)
            && key.get("dp").is_some()
    });
    let private = private.expect("an RSA key with its factors");
    let part = |name: &str| {
        URL_SAFE_NO_PAD
            .decode(private[name].as_str().unwrap())
            .unwrap()
    };
    let components = rsa::KeyPairComponents {
        public_key: rsa::PublicKeyComponents {
            n: part("n"),
            e: part("e"),
        },
        d: part("d"),
        p: part("p"),
        q: part("q"),
        dP: part("dp"),
        dQ: part("dq"),
        qInv: part("qi"),
    };
    RsaKeyPair::from_components(&components).unwrap()
}

#[test]
fn jwt_03_confusion_matrix_only_the_configured_pair_passes() {
    let keys = Keys::new();
    let set = keys.set();
    let configured = [
        (Algorithm::ES256, "P-256"),
        (Algorithm::ES384, "P-384"),
        (Algorithm::EdDSA, "Ed25519"),
        (Algorithm::RS256, "RSA"),
    ];
    for (allowed, own_kind) in configured {
        let own_name: &str = allowed.into();
        for algorithm in ALGORITHMS {
            for kind in KINDS {
                for key_id in KINDS.map(Some).into_iter().chain([None]) {
                    let token = keys.token(kind, algorithm, key_id);
                    let wanted =
                        algorithm == own_name && kind == own_kind && key_id == Some(own_kind);
                    let passed = accept(&token, &set, &[allowed]).is_ok();
                    assert_eq!(
                        passed, wanted,
                        "{own_name} allowed; {algorithm} by {kind} as {key_id:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn jwt_03_every_rsa_name_verifies_under_its_own_padding_only() {
    let keys = Keys::new();
    let names: Vec<&str> = ALGORITHMS
        .into_iter()
        .filter(|n| n.starts_with(['R', 'P']))
        .collect();
    for named in &names {
        let mut jwk = keys.jwk("RSA");
        jwk["alg"] = json!(named);
        let set = KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
        let allowed: Vec<Algorithm> = names.iter().map(|name| name.parse().unwrap()).collect();
        for used in &names {
            let honest = keys.token("RSA", used, Some("RSA"));
            assert_eq!(
                accept(&honest, &set, &allowed).is_ok(),
                named == used,
                "{named} {used}"
            );
            let header = json!({"alg": named, "kid": "RSA"});
            let lying = signed(&header, |message| keys.sign_rsa(used, message));
            assert_eq!(
                accept(&lying, &set, &allowed).is_ok(),
                named == used,
                "{named} {used}"
            );
        }
    }
}

#[test]
fn jwt_03_a_public_key_is_no_secret() {
    let keys = Keys::new();
    let set = keys.set();
    let jwk = keys.jwk("RSA");
    let der = keys.rsa.public_key().as_ref().to_vec();
    let pem = |line: &str| {
        format!("-----BEGIN RSA PUBLIC KEY-----\n{line}\n-----END RSA PUBLIC KEY-----\n")
    };
    let secrets = [
        der.clone(),
        pem(&STANDARD.encode(&der)).into_bytes(),
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        Vec::new(),
    ];
    let everything = <Algorithm as strum::VariantArray>::VARIANTS;
    for secret in secrets {
        for (name, algorithm) in [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
            ("RS256", hmac::HMAC_SHA256),
        ] {
            let key = hmac::Key::new(algorithm, &secret);
            let header = json!({"alg": name, "kid": "RSA"});
            let token = signed(&header, |message| {
                hmac::sign(&key, message).as_ref().to_vec()
            });
            assert!(accept(&token, &set, everything).is_err(), "{name}");
        }
    }
}
