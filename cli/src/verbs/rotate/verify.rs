//! `berth rotate verify`: the checklist of a rotation, each point proved from what the server
//! publishes and not from what it says of itself.

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
    old_key: Option<Kid>,
    new_key: Option<Kid>,
    refused_at: Option<String>,
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
    let is_published = |kid: &Option<Kid>| {
        let kid = kid.as_ref();
        kid.is_some_and(|kid| published_key(set, kid, rotation.kind).is_some())
    };
    let text = |kid: &Option<Kid>| kid.as_ref().map(|kid| json!(kid));
    let about = evidence["rotation_id"] == rotation.id.as_str()
        && Some(&evidence["old_key"]) == text(&rotation.old_key).as_ref()
        && Some(&evidence["new_key"]) == text(&rotation.new_key).as_ref();
    let mut points = vec![
        (
            "the evidence is signed by a published key",
            is_signed(evidence, set),
        ),
        ("it is about this rotation and its keys", about),
        ("the rotation succeeded", evidence["outcome"] == "succeeded"),
        (
            "the new key was proved before it signed",
            evidence["new_key_proved"] == true,
        ),
        (
            "what the old key signed was seen to be refused",
            evidence["old_key_refused"] == true && rotation.refused_at.is_some(),
        ),
        (
            "the old key is not published",
            !is_published(&rotation.old_key),
        ),
        ("the new key is published", is_published(&rotation.new_key)),
    ];
    let targets = evidence["targets"].as_array();
    for target in targets.into_iter().flatten() {
        let name = match target["name"].as_str() {
            Some("contained") => "it was contained in time",
            Some("rekeyed") => "it was rekeyed in time",
            _ => "a target was met",
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
        let evidence = json!({"rotation_id": "rot_1", "outcome": "succeeded", "old_key": old,
                              "new_key": new, "new_key_proved": true, "old_key_refused": true,
                              "targets": [{"name": "contained", "met": false}]});
        let rotation = Rotation {
            id: "rot_1".to_owned(),
            kind: Purpose::JwtSigner,
            old_key: Some(old),
            new_key: Some(new),
            refused_at: Some("2026-01-01T00:00:00Z".to_owned()),
            evidence: None,
        };
        let failed: Vec<&str> = points(&rotation, &evidence, &json!({"keys": []}))
            .into_iter()
            .filter(|(_, holds)| !holds)
            .map(|(point, _)| point)
            .collect();
        assert_eq!(
            failed,
            [
                "the evidence is signed by a published key",
                "the new key is published",
                "it was contained in time"
            ]
        );
    }
}
