//! Rotations: a key after the other's, and the evidence of it.

mod evidence;

use std::sync::Arc;

use contract::rotation::{
    Activate, Activated, Close, CloseInput, Open, OpenInput, Opened, Outcome, Publish, Published,
    Resign, Resigned, Revoke, Rotated,
};
use db::operation::NewOperation;
use db::rotation::{self, NewRotation, Rotation};
use db::{PgConnection, PgPool};
use domain::id::RotationId;
use domain::operation::OperationKind;
use domain::policy::{self, Policy, Scope};
use domain::reason::Code;
use domain::rotation::{Mode, cadence, overlap};
use domain::signed_document::{self, Receipt};
use domain::signing_key::{Kid, Purpose, SigningKey};
use domain::state::{OperationState, SigningKeyState, StepState};
use platform::signing::{MAX_COPY_AGE, Signer};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use time::OffsetDateTime;

use crate::allocation::{count, name_run, record_step};
use crate::audit;
use crate::machine::{Fault, beat};
use crate::receipt;
use crate::refusal::Refusal;

/// Receipts that one step signs anew.
const BATCH: i64 = 100;

/// The steps, on a pool of the role `berth_worker`.
pub struct Rotations {
    pub pool: PgPool,
    pub signer: Signer,
}

#[activities]
impl Rotations {
    #[activity(definition = Open)]
    pub async fn open(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: OpenInput,
    ) -> Result<Option<Opened>, ActivityError> {
        let opened = open(&self.pool, &input).await?;
        if let Some(opened) = opened {
            name_run(&self.pool, &ctx, opened.rotation_id.uuid()).await?;
        }
        Ok(opened)
    }

    #[activity(definition = Publish)]
    pub async fn publish(
        self: Arc<Self>,
        ctx: ActivityContext,
        id: RotationId,
    ) -> Result<Published, ActivityError> {
        Ok(beat(&ctx, self.publish_next(id)).await?)
    }

    #[activity(definition = Activate)]
    pub async fn activate(
        self: Arc<Self>,
        ctx: ActivityContext,
        id: RotationId,
    ) -> Result<Activated, ActivityError> {
        Ok(beat(&ctx, self.let_sign(id)).await?)
    }

    #[activity(definition = Revoke)]
    pub async fn revoke(
        self: Arc<Self>,
        ctx: ActivityContext,
        id: RotationId,
    ) -> Result<(), ActivityError> {
        Ok(beat(&ctx, self.end_old(id)).await?)
    }

    #[activity(definition = Resign)]
    pub async fn resign(
        self: Arc<Self>,
        ctx: ActivityContext,
        id: RotationId,
    ) -> Result<Resigned, ActivityError> {
        Ok(beat(&ctx, self.sign_anew(id)).await?)
    }

    #[activity(definition = Close)]
    pub async fn close(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: CloseInput,
    ) -> Result<Rotated, ActivityError> {
        Ok(beat(&ctx, self.end(input)).await?)
    }
}

async fn open(pool: &PgPool, input: &OpenInput) -> Result<Option<Opened>, Refusal> {
    let mut tx = pool.begin().await?;
    let purpose = input.rotation.purpose;
    let known = match input.rotation.rotation_id {
        Some(id) => Some(id),
        None => rotation::of_workflow(&mut tx, &input.workflow_id).await?,
    };
    let id = match known {
        Some(id) => id,
        None if is_due(&mut tx, purpose).await? => {
            let new = NewRotation {
                id: db::id::fresh(),
                purpose,
                mode: Mode::Scheduled,
                reason: "its time has come",
                requested_by: None,
                workflow_id: &input.workflow_id,
            };
            place(&mut tx, new).await?;
            new.id
        }
        None => return Ok(None),
    };
    let found = find(&mut tx, id).await?;
    audit::rotation(&mut tx, &found, "open").await?;
    tx.commit().await?;
    Ok(Some(Opened {
        rotation_id: id,
        mode: found.mode,
    }))
}

/// Whether the schedule replaces the key that signs: it is old enough, and nobody else is at it.
async fn is_due(conn: &mut PgConnection, purpose: Purpose) -> Result<bool, Refusal> {
    let limit = value(conn, cadence(purpose)).await?;
    let active = db::signing_key::the_one(conn, purpose, SigningKeyState::Active).await?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "ages are far below 2^52 seconds"
    )]
    let old = active.is_some_and(|key| key.age_seconds >= limit as f64);
    Ok(old && !rotation::is_pending(conn, purpose).await?)
}

/// Writes a rotation of the schedule's, and its operation.
async fn place(conn: &mut PgConnection, new: NewRotation<'_>) -> Result<(), Refusal> {
    rotation::insert(conn, new).await?;
    let waits = [
        &policy::PUBLISH,
        overlap(new.purpose),
        &policy::OPERATION_DEADLINE,
    ];
    let mut deadline_seconds = 0;
    for wait in waits {
        deadline_seconds += value(conn, wait).await?;
    }
    let operation = NewOperation {
        id: db::id::fresh(),
        org_id: None,
        kind: OperationKind::RotationCreate,
        resource_id: new.id.uuid(),
        workflow_id: new.workflow_id,
        requested_by: None,
        params: serde_json::json!({}),
        deadline_seconds,
    };
    db::operation::insert(conn, &operation).await?;
    Ok(())
}

async fn value(conn: &mut PgConnection, policy: &'static Policy) -> Result<i64, Refusal> {
    Ok(db::policy::resolve(conn, policy, Scope::Platform).await?)
}

async fn find(conn: &mut PgConnection, id: RotationId) -> Result<Rotation, Refusal> {
    let found = rotation::lock(conn, id).await?;
    found.ok_or_else(|| Refusal::conflict(id, "no such rotation"))
}

/// What is left of a time that began at an instant, in full seconds.
fn left(since: OffsetDateTime, length_seconds: i64, now: OffsetDateTime) -> u32 {
    let passed = (now - since).whole_seconds();
    count((length_seconds - passed).max(0))
}

impl Rotations {
    async fn publish_next(&self, id: RotationId) -> Result<Published, Fault> {
        let mut tx = self.pool.begin().await?;
        let mut found = find(&mut tx, id).await?;
        if found.new_kid.is_none() {
            self.name_keys(&mut tx, &found).await?;
            found = find(&mut tx, id).await?;
        }
        let kid = found.new_kid.clone().ok_or_else(|| keyless(id))?;
        let (operation, done) = (found.operation_id, StepState::Succeeded);
        let what = format!("{kid} is published");
        record_step(&mut tx, operation, "publish", done, Some(&what)).await?;
        let now = db::clock::now(&mut tx).await?;
        let length = match found.mode {
            Mode::Scheduled => value(&mut tx, &policy::PUBLISH).await?,
            Mode::BreakGlass => 0,
        };
        tx.commit().await?;
        let since = found.published_at.unwrap_or(now);
        Ok(Published {
            kid,
            wait_seconds: left(since, length, now),
        })
    }

    /// Finds the key that signs and the next one. Where glass is broken, a next one that is older
    /// than the rotation is revoked; whoever looks at the keys then makes another.
    async fn name_keys(&self, conn: &mut PgConnection, found: &Rotation) -> Result<(), Fault> {
        let purpose = found.purpose;
        let the_one = async |conn: &mut PgConnection, state| -> Result<SigningKey, Fault> {
            let key = db::signing_key::the_one(conn, purpose, state).await?;
            key.ok_or_else(|| keyless(found.id).into())
        };
        let mut outside = self.pool.acquire().await?;
        self.signer.renew().await.map_err(Fault::own)?;
        let mut next = the_one(&mut outside, SigningKeyState::PrePublished).await?;
        if found.mode == Mode::BreakGlass && next.created_at < found.created_at {
            db::signing_key::revoke(&mut outside, &next.kid).await?;
            self.signer.renew().await.map_err(Fault::own)?;
            next = the_one(&mut outside, SigningKeyState::PrePublished).await?;
        }
        let old = the_one(&mut outside, SigningKeyState::Active).await?;
        rotation::set_keys(conn, found.id, &old.kid, &next.kid, next.created_at).await?;
        Ok(())
    }

    async fn let_sign(&self, id: RotationId) -> Result<Activated, Fault> {
        let mut tx = self.pool.begin().await?;
        let found = find(&mut tx, id).await?;
        let (old, new) = kids(&found)?;
        if found.activated_at.is_none() {
            let proved = self.signer.proves(found.purpose, new).await;
            if !proved.map_err(Fault::own)? {
                let why = "the next key was revoked, or does not sign what it should";
                return Err(Refusal::conflict(id, why).into());
            }
            let broken = found.mode == Mode::BreakGlass;
            let signs = db::signing_key::promote(&mut tx, found.purpose).await?;
            if signs.as_ref() != Some(new) {
                return Err(Refusal::conflict(id, "another key is the next one now").into());
            }
            if broken {
                db::signing_key::revoke(&mut tx, old).await?;
            }
            rotation::set_activated(&mut tx, id, broken).await?;
            let what = format!("{new} signs");
            let (operation, done) = (found.operation_id, StepState::Succeeded);
            record_step(&mut tx, operation, "activate", done, Some(&what)).await?;
            audit::rotation(&mut tx, &found, "activate").await?;
        }
        let length = match found.mode {
            Mode::Scheduled => value(&mut tx, overlap(found.purpose)).await?,
            // Until no process goes by a copy of before.
            Mode::BreakGlass => i64::try_from(MAX_COPY_AGE.as_secs()).unwrap_or_default() + 1,
        };
        let now = db::clock::now(&mut tx).await?;
        tx.commit().await?;
        Ok(Activated {
            wait_seconds: left(found.activated_at.unwrap_or(now), length, now),
        })
    }

    async fn end_old(&self, id: RotationId) -> Result<(), Fault> {
        let mut tx = self.pool.begin().await?;
        let found = find(&mut tx, id).await?;
        let (old, _) = kids(&found)?;
        let length = value(&mut tx, overlap(found.purpose)).await?;
        db::signing_key::revoke(&mut tx, old).await?;
        let more = db::signing_key::revoke_served(&mut tx, found.purpose, length).await?;
        rotation::set_revoked(&mut tx, id).await?;
        tx.commit().await?;
        let refused = self.signer.refuses(found.purpose, old).await;
        if !refused.map_err(Fault::own)? {
            return Err(Fault::own(anyhow::anyhow!("{old} is still taken")));
        }
        let mut tx = self.pool.begin().await?;
        rotation::set_refused(&mut tx, id).await?;
        let old = old.to_string();
        let all: Vec<String> = std::iter::once(old)
            .chain(more.iter().map(Kid::to_string))
            .collect();
        let what = format!("what was signed by {} is refused", all.join(", "));
        let (operation, done) = (found.operation_id, StepState::Succeeded);
        record_step(&mut tx, operation, "revoke", done, Some(&what)).await?;
        audit::rotation(&mut tx, &found, "revoke").await?;
        tx.commit().await?;
        Ok(())
    }

    async fn sign_anew(&self, id: RotationId) -> Result<Resigned, Fault> {
        let mut tx = self.pool.begin().await?;
        let found = find(&mut tx, id).await?;
        let (old, _) = kids(&found)?;
        // Tickets live for seconds: whoever had one asks for another.
        let receipts = match found.purpose {
            Purpose::JwtSigner => db::machine::receipts_of(&mut tx, old, BATCH).await?,
            Purpose::TerminalSigner => Vec::new(),
        };
        if !receipts.is_empty() {
            self.signer.renew().await.map_err(Fault::own)?;
            let active = self.signer.active(Purpose::JwtSigner).await;
            let active = active.map_err(Fault::own)?;
            for old in &receipts {
                let members = signed_document::members(&old.receipt).map_err(Fault::own)?;
                let signed = receipt::sign_document::<Receipt>(members, &active)?;
                db::machine::resign_receipt(&mut tx, old, &signed).await?;
            }
        }
        let documents = i64::try_from(receipts.len()).unwrap_or(i64::MAX);
        rotation::add_resigned(&mut tx, id, documents).await?;
        let what = format!("{} documents", found.documents_resigned + documents);
        let (operation, done) = (found.operation_id, StepState::Succeeded);
        record_step(&mut tx, operation, "resign", done, Some(&what)).await?;
        tx.commit().await?;
        Ok(Resigned {
            documents: count(documents),
            more: documents == BATCH,
        })
    }

    async fn end(&self, input: CloseInput) -> Result<Rotated, Fault> {
        let mut tx = self.pool.begin().await?;
        let found = find(&mut tx, input.rotation_id).await?;
        if found.ended_at.is_none() {
            let now = db::clock::now(&mut tx).await?;
            let limits = evidence::Limits {
                contain_seconds: value(&mut tx, &policy::CONTAIN_TARGET).await?,
                rekey_seconds: value(&mut tx, &policy::REKEY_TARGET).await?,
            };
            let members = evidence::members(&found, input.outcome, limits, now)?;
            let active = self.signer.active(Purpose::JwtSigner).await;
            let signed = receipt::sign_document(members, &active.map_err(Fault::own)?)?;
            let (outcome, state, code) = match input.outcome {
                Outcome::Succeeded => ("succeeded", OperationState::Succeeded, None),
                Outcome::CalledOff => ("called_off", OperationState::Cancelled, None),
                Outcome::Failed => {
                    let why = Some(Code::step_exhausted());
                    ("failed", OperationState::Failed, why)
                }
            };
            rotation::end(&mut tx, found.id, outcome, &signed).await?;
            if let Some(operation) = found.operation_id {
                if input.outcome == Outcome::Succeeded {
                    let done = StepState::Succeeded;
                    record_step(&mut tx, Some(operation), "close", done, None).await?;
                }
                db::order::finish(&mut tx, operation, state, code.as_ref()).await?;
            }
            audit::rotation(&mut tx, &found, "close").await?;
            tx.commit().await?;
            observe(&found, now);
        }
        Ok(Rotated {
            rotation_id: Some(found.id),
            outcome: input.outcome,
        })
    }
}

fn observe(found: &Rotation, now: OffsetDateTime) {
    let (kind, mode) = (found.purpose.as_str(), found.mode.as_str());
    let seconds = f64::from((now - found.created_at).as_seconds_f32());
    metrics::histogram!("rotation_duration_seconds", "kind" => kind, "mode" => mode)
        .record(seconds);
}

fn keyless(id: RotationId) -> Refusal {
    Refusal::conflict(
        id,
        "there is no key to take over from, or none to take over",
    )
}

/// The old key and the new one of a rotation that was published.
fn kids(found: &Rotation) -> Result<(&Kid, &Kid), Refusal> {
    let kids = found.old_kid.as_ref().zip(found.new_kid.as_ref());
    kids.ok_or_else(|| Refusal::conflict(found.id, "its keys are not named yet"))
}
