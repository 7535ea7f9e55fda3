//! Rotations: a key after the other's, and the evidence of it.

mod evidence;
mod open;
mod resign;

use std::sync::Arc;

use contract::rotation::{
    Activate, Activated, Close, CloseInput, Open, OpenInput, Opened, Publish, Published, Resign,
    ResignInput, Resigned, Revoke, Rotated,
};
use db::rotation::{self, Rotation};
use db::{PgConnection, PgPool};
use domain::id::RotationId;
use domain::policy::{self, Policy, Scope};
use domain::reason::Code;
use domain::rotation::{Mode, Outcome, overlap};
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
        let opened = open::open(&self.pool, &input).await?;
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
        input: ResignInput,
    ) -> Result<Resigned, ActivityError> {
        Ok(beat(&ctx, self.sign_anew(input)).await?)
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

async fn value(conn: &mut PgConnection, policy: &'static Policy) -> Result<i64, Refusal> {
    Ok(db::policy::resolve(conn, policy, Scope::Platform).await?)
}

async fn find(conn: &mut PgConnection, id: RotationId) -> Result<Rotation, Refusal> {
    let found = rotation::lock(conn, id).await?;
    found.ok_or_else(|| Refusal::conflict(id, "no such rotation"))
}

/// The same, unless it has ended: what its evidence says is not done again.
async fn find_open(conn: &mut PgConnection, id: RotationId) -> Result<Rotation, Refusal> {
    let found = find(conn, id).await?;
    if found.ended_at.is_some() {
        return Err(Refusal::conflict(id, "it has ended"));
    }
    Ok(found)
}

/// What is left of a time that began at an instant, in full seconds.
fn left(since: OffsetDateTime, length_seconds: i64, now: OffsetDateTime) -> u32 {
    let passed = (now - since).whole_seconds();
    count((length_seconds - passed).max(0))
}

impl Rotations {
    async fn publish_next(&self, id: RotationId) -> Result<Published, Fault> {
        let mut tx = self.pool.begin().await?;
        let mut found = find_open(&mut tx, id).await?;
        if found.new_kid.is_none() {
            rotation::turn(&mut tx, found.purpose).await?;
            self.name_keys(&mut tx, &found).await?;
            audit::rotation(&mut tx, &found, "publish").await?;
            found = find_open(&mut tx, id).await?;
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
    /// than the rotation is revoked; whoever looks at the keys then makes another. While there is
    /// none (no KMS) the step fails, and is tried again.
    async fn name_keys(&self, conn: &mut PgConnection, found: &Rotation) -> Result<(), Fault> {
        let (id, purpose) = (found.id, found.purpose);
        let mut outside = self.pool.acquire().await?;
        match found.mode {
            Mode::Scheduled => refuse_beside_glass(&mut outside, found).await?,
            Mode::BreakGlass => {
                let before = found.created_at;
                let next =
                    db::signing_key::revoke_next_of_before(&mut outside, purpose, before).await?;
                rotation::add_ended(conn, id, next.as_slice()).await?;
            }
        }
        drop(outside);
        self.signer.renew().await.map_err(Fault::own)?;
        let next = the_one(conn, purpose, SigningKeyState::PrePublished).await?;
        let old = the_one(conn, purpose, SigningKeyState::Active).await?;
        rotation::set_keys(conn, id, &old.kid, &next.kid, next.created_at).await?;
        Ok(())
    }

    async fn let_sign(&self, id: RotationId) -> Result<Activated, Fault> {
        let mut tx = self.pool.begin().await?;
        let found = find_open(&mut tx, id).await?;
        if found.activated_at.is_none() {
            rotation::turn(&mut tx, found.purpose).await?;
            self.promote(&mut tx, &found).await?;
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

    /// Lets the new key sign. Where glass is broken every other key of its purpose ends: which of
    /// them was stolen nobody has to know.
    async fn promote(&self, conn: &mut PgConnection, found: &Rotation) -> Result<(), Fault> {
        let (_, new) = kids(found)?;
        let purpose = found.purpose;
        if !self.signer.proves(purpose, new).await.map_err(Fault::own)? {
            // One that cannot sign must not stay the next one.
            let mut outside = self.pool.acquire().await?;
            db::signing_key::revoke(&mut outside, new).await?;
            let why = "the next key was revoked, or does not sign what it should";
            return Err(Refusal::conflict(found.id, why).into());
        }
        let broken = found.mode == Mode::BreakGlass;
        if !broken {
            refuse_beside_glass(conn, found).await?;
        }
        let active = the_one(conn, purpose, SigningKeyState::Active).await?;
        if active.kid != *new
            && db::signing_key::promote(conn, purpose).await?.as_ref() != Some(new)
        {
            return Err(Refusal::conflict(found.id, "another key is the next one now").into());
        }
        if broken {
            let ended = db::signing_key::revoke_all_but(conn, purpose, new).await?;
            rotation::add_ended(conn, found.id, &ended).await?;
        }
        rotation::set_activated(conn, found.id, broken).await?;
        let what = format!("{new} signs");
        let (operation, done) = (found.operation_id, StepState::Succeeded);
        record_step(conn, operation, "activate", done, Some(&what)).await?;
        Ok(())
    }

    async fn end_old(&self, id: RotationId) -> Result<(), Fault> {
        let mut tx = self.pool.begin().await?;
        let found = find_open(&mut tx, id).await?;
        let (old, _) = kids(&found)?;
        let length = value(&mut tx, overlap(found.purpose)).await?;
        let mut ended = db::signing_key::revoke_served(&mut tx, found.purpose, length).await?;
        if db::signing_key::revoke(&mut tx, old).await? {
            ended.push(old.clone());
        }
        rotation::add_ended(&mut tx, id, &ended).await?;
        rotation::set_revoked(&mut tx, id).await?;
        let found = find_open(&mut tx, id).await?;
        tx.commit().await?;
        for kid in &found.ended_kids {
            let refused = self.signer.refuses(found.purpose, kid).await;
            if !refused.map_err(Fault::own)? {
                return Err(Fault::own(anyhow::anyhow!("{kid} is still taken")));
            }
        }
        let mut tx = self.pool.begin().await?;
        if rotation::set_refused(&mut tx, id).await? {
            audit::rotation(&mut tx, &found, "revoke").await?;
        }
        let all: Vec<String> = found.ended_kids.iter().map(Kid::to_string).collect();
        let what = format!("what was signed by {} is refused", all.join(", "));
        let (operation, done) = (found.operation_id, StepState::Succeeded);
        record_step(&mut tx, operation, "revoke", done, Some(&what)).await?;
        tx.commit().await?;
        Ok(())
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
            let (state, code) = match input.outcome {
                Outcome::Succeeded => (OperationState::Succeeded, None),
                Outcome::CalledOff => (OperationState::Cancelled, None),
                Outcome::Failed => (OperationState::Failed, Some(Code::step_exhausted())),
            };
            rotation::end(&mut tx, found.id, input.outcome, &signed).await?;
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
            outcome: found.outcome.unwrap_or(input.outcome),
        })
    }
}

/// A rotation in time keeps away while glass is broken: its next key is not to be taken.
async fn refuse_beside_glass(conn: &mut PgConnection, found: &Rotation) -> Result<(), Fault> {
    let glass = Some(Mode::BreakGlass);
    if rotation::is_pending(conn, found.purpose, glass).await? {
        let why = "a key of this kind is being replaced as it was stolen";
        return Err(Refusal::conflict(found.id, why).into());
    }
    Ok(())
}

async fn the_one(
    conn: &mut PgConnection,
    purpose: Purpose,
    state: SigningKeyState,
) -> Result<SigningKey, Fault> {
    let key = db::signing_key::the_one(conn, purpose, state).await?;
    key.ok_or_else(|| Fault::own(anyhow::anyhow!("no key of {purpose} is {state:?} yet")))
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
