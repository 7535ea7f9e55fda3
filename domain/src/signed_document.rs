//! Documents that Berth signs, so that anybody with the published keys can prove them: the receipt
//! of a machine, and the evidence of a rotation.
//!
//! A document is a JSON object. Its member `signature` is a JWS with detached content (RFC 7515,
//! appendix F): `<header>..<signature>`. The content is the document without that member, in its
//! canonical form (RFC 8785). The header names algorithm, key and type; the document's own member
//! `kid`, which is signed with the rest, names the same key.

use std::marker::PhantomData;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::signing_key::{ALGORITHM, Kid};

/// A kind of document.
pub trait Document: std::fmt::Debug {
    /// The `typ` of the header: a signature of one kind is none of another.
    const TYPE: &'static str;
}

/// What a tenant was handed.
#[derive(Debug)]
pub struct Receipt;

impl Document for Receipt {
    const TYPE: &'static str = "berth-receipt+jws";
}

/// What a rotation of a key did, and when.
#[derive(Debug)]
pub struct RotationEvidence;

impl Document for RotationEvidence {
    const TYPE: &'static str = "berth-rotation-evidence+jws";
}

/// What a file in the object store holds.
#[derive(Debug)]
pub struct ArchiveManifest;

impl Document for ArchiveManifest {
    const TYPE: &'static str = "berth-archive-manifest+jws";
}

/// How far the audit chains of all organizations are.
#[derive(Debug)]
pub struct AuditHead;

impl Document for AuditHead {
    const TYPE: &'static str = "berth-audit-head+jws";
}

const SIGNATURE: &str = "signature";
const KID: &str = "kid";

/// A document that waits for its signature.
#[derive(Debug)]
pub struct Unsigned<D> {
    members: Map<String, Value>,
    header: String,
    input: Vec<u8>,
    kind: PhantomData<D>,
}

impl<D: Document> Unsigned<D> {
    /// What is to be signed, and by which key.
    pub fn new(mut members: Map<String, Value>, kid: &Kid) -> Result<Self, NotSigned> {
        members.insert(KID.to_owned(), kid.as_str().into());
        let header = header::<D>(kid);
        let input = input(&header, &members)?;
        Ok(Self {
            members,
            header,
            input,
            kind: PhantomData,
        })
    }

    /// The bytes that the key signs.
    pub fn input(&self) -> &[u8] {
        &self.input
    }

    /// Puts the signature in its place.
    pub fn signed(mut self, signature: &[u8; 64]) -> Signed<D> {
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        let jws = format!("{}..{signature}", self.header);
        self.members.insert(SIGNATURE.to_owned(), jws.into());
        Signed(Value::Object(self.members), PhantomData)
    }
}

/// A document with its signature: the only thing that is written down as one.
#[derive(Debug)]
pub struct Signed<D>(Value, PhantomData<D>);

impl<D> Signed<D> {
    pub fn as_json(&self) -> &Value {
        &self.0
    }
}

/// What a document says of its own signature. Nothing of it is believed yet.
#[derive(Debug)]
pub struct Claim {
    pub kid: Kid,
    pub signature: [u8; 64],
    /// The bytes that must have been signed.
    pub input: Vec<u8>,
}

/// The value is not a document with a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    #[error("it is not an object with the member `signature`")]
    Unsigned,
    #[error("its signature has not the form of one")]
    Form,
    #[error("it has no canonical form")]
    Canonical,
}

/// Reads what is to be verified.
pub fn claim<D: Document>(document: &Value) -> Result<Claim, NotSigned> {
    let mut members = document.as_object().cloned().ok_or(NotSigned::Unsigned)?;
    let jws = members.remove(SIGNATURE).ok_or(NotSigned::Unsigned)?;
    let jws = jws.as_str().ok_or(NotSigned::Form)?;
    let (given, signature) = jws.split_once("..").ok_or(NotSigned::Form)?;
    let kid: Kid = members
        .get(KID)
        .and_then(Value::as_str)
        .and_then(|kid| kid.parse().ok())
        .ok_or(NotSigned::Form)?;
    let header = header::<D>(&kid);
    // One header is right, byte for byte: no other algorithm, key or type, nothing besides them.
    if given != header {
        return Err(NotSigned::Form);
    }
    let signature = BASE64_URL_SAFE_NO_PAD
        .decode(signature)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(NotSigned::Form)?;
    let input = input(&header, &members)?;
    Ok(Claim {
        kid,
        signature,
        input,
    })
}

/// All of a document but what its signature adds.
pub fn members(document: &Value) -> Result<Map<String, Value>, NotSigned> {
    let mut members = document.as_object().cloned().ok_or(NotSigned::Unsigned)?;
    members.remove(SIGNATURE).ok_or(NotSigned::Unsigned)?;
    members.remove(KID);
    Ok(members)
}

fn header<D: Document>(kid: &Kid) -> String {
    let header = format!(
        r#"{{"alg":"{ALGORITHM}","kid":"{kid}","typ":"{}"}}"#,
        D::TYPE
    );
    BASE64_URL_SAFE_NO_PAD.encode(header)
}

fn input(header: &str, members: &Map<String, Value>) -> Result<Vec<u8>, NotSigned> {
    let content = serde_json_canonicalizer::to_vec(members).map_err(|_| NotSigned::Canonical)?;
    let content = BASE64_URL_SAFE_NO_PAD.encode(content);
    Ok(format!("{header}.{content}").into_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::signing_key::PublicKey;

    fn signed() -> (Vec<u8>, Value) {
        let kid = PublicKey::from_bytes([7; 32]).kid();
        let members = json!({"b": [1, {"z": 2.0, "a": "ü"}], "a": null});
        let unsigned =
            Unsigned::<Receipt>::new(members.as_object().unwrap().clone(), &kid).unwrap();
        let input = unsigned.input().to_vec();
        (input, unsigned.signed(&[9; 64]).as_json().clone())
    }

    #[test]
    fn what_is_verified_is_what_was_signed() {
        let (input, receipt) = signed();
        let claim = claim::<Receipt>(&receipt).unwrap();
        assert_eq!(claim.input, input);
        assert_eq!(claim.signature, [9; 64]);
        assert_eq!(receipt["kid"], claim.kid.as_str());
        // Order of members, blanks and the spelling of numbers do not matter (RFC 8785).
        let text = serde_json::to_string_pretty(&receipt).unwrap();
        let again: Value = serde_json::from_str(&text.replace("2.0", "2")).unwrap();
        assert_eq!(super::claim::<Receipt>(&again).unwrap().input, input);
        let content = input.rsplit(|b| *b == b'.').next().unwrap();
        let content = BASE64_URL_SAFE_NO_PAD.decode(content).unwrap();
        let kid = claim.kid;
        assert_eq!(
            String::from_utf8(content).unwrap(),
            format!(r#"{{"a":null,"b":[1,{{"a":"ü","z":2}}],"kid":"{kid}"}}"#)
        );
    }

    #[test]
    fn every_change_is_another_input_or_none() {
        let (input, receipt) = signed();
        for (name, value) in [("a", json!(1)), ("b", json!([])), ("c", json!("more"))] {
            let mut changed = receipt.clone();
            changed[name] = value;
            assert_ne!(claim::<Receipt>(&changed).unwrap().input, input, "{name}");
        }
        let jws = receipt["signature"].as_str().unwrap();
        let encode = |header: &str| BASE64_URL_SAFE_NO_PAD.encode(header);
        let kid = receipt["kid"].as_str().unwrap();
        let typ = Receipt::TYPE;
        let none = encode(&format!(r#"{{"alg":"none","kid":"{kid}","typ":"{typ}"}}"#));
        let untyped = encode(&format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#));
        let signature = jws.split_once("..").unwrap().1;
        for jws in [
            String::new(),
            signature.to_owned(),
            jws.replace("..", "."),
            jws.replace("..", ".e30."),
            format!("{jws}A"),
            format!("{none}.."),
            format!("{none}..{signature}"),
            format!("{untyped}..{signature}"),
        ] {
            let mut changed = receipt.clone();
            changed["signature"] = jws.into();
            assert_eq!(
                claim::<Receipt>(&changed).unwrap_err(),
                NotSigned::Form,
                "{changed}"
            );
        }
        let other = claim::<RotationEvidence>(&receipt).unwrap_err();
        assert_eq!(other, NotSigned::Form, "a receipt is no evidence");
        let mut renamed = receipt.clone();
        renamed["kid"] = json!(PublicKey::from_bytes([8; 32]).kid());
        assert_eq!(claim::<Receipt>(&renamed).unwrap_err(), NotSigned::Form);
        for unsigned in [json!({"kid": kid}), json!(null), json!([receipt])] {
            assert_eq!(
                claim::<Receipt>(&unsigned).unwrap_err(),
                NotSigned::Unsigned
            );
        }
    }
}
