//! `berth rotate verify`: the checklist of a rotation, from its signed evidence and from the keys that
//! are published now.

use domain::signed_document::{self, RotationEvidence};
use domain::signing_key::{Kid, Purpose};
use platform::signing::{published_key, verify};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Call;
use crate::verbs::exit::{Exit, Failure, Result};
use crate::verbs::group::Format;
use crate::verbs::session::Session;
use crate::verbs::table::Table;

const JWKS: &str = "/.well-known/jwks.json";

#[derive(Debug, Deserialize)]
struct Rotation {
    id: String,
    kind: Purpose,
    mode: String,
    old_key: Option<Kid>,
    new_key: Option<Kid>,
    #[serde(default)]
    ended_keys: Vec<Kid>,
    evidence: Option<Value>,
}

/// A point of the list, and whether it holds.
type Point = (&'static str, bool);

pub(super) async fn run(id: &str, session: &mut Session<'_>) -> Result {
    let answer = session.client.get(&format!("admin/rotations/{id}")).await?;
    let rotation: Rotation = answer.json()?;
    let Some(evidence) = &rotation.evidence else {
        let text = format!("{id} is under way: there is no evidence yet");
        return Err(Failure::NotPossible(text));
    };
    let set: Value = session.client.send(&Call::document(JWKS)).await?.json()?;
    let points = points(&rotation, evidence, &set);
    match session.format {
        Format::Json => {
            let all: Vec<Value> = points
                .iter()
                .map(|(point, holds)| json!({"point": point, "holds": holds}))
                .collect();
            session
                .console
                .data(&json!({ "points": all }).to_string())?;
        }
        Format::Table => {
            let mut table = Table::columns(&["POINT", "HOLDS"]);
            for (point, holds) in &points {
                let holds = if *holds { "yes" } else { "NO" };
                table.row([(*point).to_owned(), holds.to_owned()]);
            }
            session.console.data(&table.render())?;
        }
    }
    let all = points.iter().all(|(_, holds)| *holds);
    Ok(if all { Exit::Ok } else { Exit::Failed })
}

fn points(rotation: &Rotation, evidence: &Value, set: &Value) -> Vec<Point> {
    let is_published = |kid: &Kid| published_key(set, kid, rotation.kind).is_some();
    let told = json!({
        "rotation_id": rotation.id, "rotation_kind": rotation.kind, "mode": rotation.mode,
        "old_key": rotation.old_key, "new_key": rotation.new_key, "ended_keys": rotation.ended_keys,
    });
    let members = told.as_object().into_iter().flatten();
    let about = members
        .clone()
        .all(|(name, value)| evidence[name] == *value);
    let mut points = vec![
        (
            "the evidence is signed by a published key",
            is_signed(evidence, set),
        ),
        ("it is about this rotation and its keys", about),
        (
            "it says that the rotation succeeded",
            evidence["outcome"] == "succeeded",
        ),
        (
            "it says that the new key was proved before it signed",
            evidence["new_key_proved"] == true,
        ),
        (
            "it says that what the ended keys signed was seen to be refused",
            evidence["ended_keys_refused"] == true,
        ),
        (
            "the old key has ended",
            rotation
                .old_key
                .as_ref()
                .is_some_and(|old| rotation.ended_keys.contains(old)),
        ),
        (
            "none of the ended keys is published",
            !rotation.ended_keys.iter().any(is_published),
        ),
    ];
    let targets = evidence["targets"].as_array();
    for target in targets.into_iter().flatten() {
        let name = match target["name"].as_str() {
            Some("contained") => "it says that it was contained in time",
            Some("rekeyed") => "it says that it was rekeyed in time",
            _ => "it says that a target was met",
        };
        points.push((name, target["met"] == true));
    }
    points
}

fn is_signed(evidence: &Value, set: &Value) -> bool {
    let Ok(claim) = signed_document::claim::<RotationEvidence>(evidence) else {
        return false;
    };
    published_key(set, &claim.kid, Purpose::JwtSigner)
        .is_some_and(|key| verify(&key, &claim.input, &claim.signature))
}

#[cfg(test)]
mod tests {
    use domain::signing_key::PublicKey;

    use super::*;

    #[test]
    fn evidence_without_a_signature_proves_nothing() {
        let [old, new] = [[1; 32], [2; 32]].map(|bytes| PublicKey::from_bytes(bytes).kid());
        let mut evidence = json!({"rotation_id": "rot_1", "rotation_kind": "jwt_signer", "mode": "break_glass",
            "outcome": "succeeded", "old_key": old, "new_key": new, "ended_keys": [old],
            "new_key_proved": true, "ended_keys_refused": true,
            "targets": [{"name": "contained", "met": false}]});
        let rotation = Rotation {
            id: "rot_1".to_owned(),
            kind: Purpose::JwtSigner,
            mode: "break_glass".to_owned(),
            ended_keys: vec![old.clone()],
            old_key: Some(old),
            new_key: Some(new),
            evidence: None,
        };
        let failed = |evidence: &Value| -> Vec<&str> {
            points(&rotation, evidence, &json!({"keys": []}))
                .into_iter()
                .filter(|(_, holds)| !holds)
                .map(|(point, _)| point)
                .collect()
        };
        let (unsigned, late) = (
            "the evidence is signed by a published key",
            "it says that it was contained in time",
        );
        assert_eq!(failed(&evidence), [unsigned, late]);
        evidence["ended_keys"] = json!([]);
        let other = "it is about this rotation and its keys";
        assert_eq!(failed(&evidence), [unsigned, other, late]);
    }
}
