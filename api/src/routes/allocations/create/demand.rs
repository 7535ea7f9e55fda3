//! What a request asks for, and whether that can be had at all.

use domain::envelope::MAX_PLAINTEXT_BYTES;
use domain::id::{ProjectId, SshKeyId};
use domain::label::Labels;
use domain::name::Name;
use secrecy::{ExposeSecret as _, SecretSlice};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::problem::{Code, Problem};
use crate::routes::allocations::update::sound_labels;

/// Public keys of one allocation at most.
const MAX_SSH_KEYS: usize = 32;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateAllocation)]
pub(super) struct Request {
    #[schema(value_type = String)]
    pub(super) project_id: ProjectId,
    /// What kind of GPUs.
    #[schema(example = "h100-80gb")]
    pub(super) sku: String,
    /// How many; all on one machine.
    #[schema(minimum = 1)]
    gpu_count: i64,
    /// More than one machine is not supported yet.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 1, default = 1)]
    node_count: i64,
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    name: Name,
    /// Who may log in.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 32)]
    ssh_key_ids: Vec<SshKeyId>,
    /// Length of the lease from the moment it is active; missing: policy decides.
    #[schema(minimum = 1)]
    lease_seconds: Option<i64>,
    /// How long to wait for capacity; 0: fail at once. Missing: policy decides.
    #[schema(minimum = 0)]
    queue_timeout_seconds: Option<i64>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    labels: Labels,
    /// For the scheduler, 64 KiB at most; kept sealed, and shown to nobody but the organization.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    #[expect(clippy::struct_field_names, reason = "the contract's name")]
    scheduler_request: Option<Map<String, Value>>,
}

fn one() -> i64 {
    1
}

/// What catalog and policies say.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) gpus_per_node: i64,
    pub(super) gpus_max: i64,
    pub(super) lease_seconds: i64,
    pub(super) lease_max_seconds: i64,
    pub(super) queue_timeout_seconds: i64,
    pub(super) deadline_seconds: i64,
}

/// A request within the limits, complete.
#[derive(Debug)]
pub(super) struct Demand {
    pub(super) project_id: ProjectId,
    pub(super) sku: String,
    pub(super) gpu_count: i32,
    pub(super) name: Name,
    pub(super) ssh_key_ids: Vec<SshKeyId>,
    pub(super) lease_seconds: i32,
    pub(super) queue_timeout_seconds: i32,
    pub(super) labels: Labels,
}

impl Request {
    pub(super) fn check(self, limits: &Limits) -> Result<Demand, Problem> {
        self.supported()?;
        sound_labels(&self.labels)?;
        self.sound_ssh_keys()?;
        self.sound_scheduler_request()?;
        let gpus = limits.gpus_per_node.min(limits.gpus_max);
        let lease = self.lease_seconds.unwrap_or_else(|| {
            // A default beyond the limit is the operator's slip, not the caller's.
            limits.lease_seconds.min(limits.lease_max_seconds)
        });
        let wait = self
            .queue_timeout_seconds
            .unwrap_or(limits.queue_timeout_seconds);
        Ok(Demand {
            gpu_count: within("/gpu_count", self.gpu_count, 1, gpus)?,
            lease_seconds: within("/lease_seconds", lease, 1, limits.lease_max_seconds)?,
            queue_timeout_seconds: within(
                "/queue_timeout_seconds",
                wait,
                0,
                domain::policy::QUEUE_TIMEOUT.max,
            )?,
            project_id: self.project_id,
            sku: self.sku,
            name: self.name,
            ssh_key_ids: self.ssh_key_ids,
            labels: self.labels,
        })
    }

    /// The public keys that are named, as many as may be.
    pub(super) fn leading_ssh_keys(&self) -> &[SshKeyId] {
        let ids = &self.ssh_key_ids;
        ids.get(..MAX_SSH_KEYS).unwrap_or(ids)
    }

    /// What the contract knows and is not built.
    fn supported(&self) -> Result<(), Problem> {
        let unsupported = |pointer: &str, detail: &'static str| {
            Err(Problem::new(Code::NotSupported).at(pointer, detail))
        };
        if self.node_count > 1 {
            return unsupported("/node_count", "only one machine is supported");
        }
        within("/node_count", self.node_count, 1, 1).map(drop)
    }

    /// What the scheduler is told, as text; `None` where there is nothing, or too much of it.
    pub(super) fn scheduler_text(&self) -> Option<SecretSlice<u8>> {
        let request = self.scheduler_request.as_ref()?;
        let text = SecretSlice::from(serde_json::to_vec(request).ok()?);
        (text.expose_secret().len() <= MAX_PLAINTEXT_BYTES).then_some(text)
    }

    fn sound_scheduler_request(&self) -> Result<(), Problem> {
        if self.scheduler_request.is_some() && self.scheduler_text().is_none() {
            let detail = format!("may be {MAX_PLAINTEXT_BYTES} bytes long, without white space");
            return Err(Problem::invalid("/scheduler_request", detail));
        }
        Ok(())
    }

    fn sound_ssh_keys(&self) -> Result<(), Problem> {
        let ids = &self.ssh_key_ids;
        if !(1..=MAX_SSH_KEYS).contains(&ids.len()) {
            let detail = format!("must name between 1 and {MAX_SSH_KEYS} keys");
            return Err(Problem::invalid("/ssh_key_ids", detail));
        }
        match ids
            .iter()
            .enumerate()
            .find(|(index, id)| ids[..*index].contains(id))
        {
            Some((index, _)) => Err(Problem::invalid(
                format!("/ssh_key_ids/{index}"),
                "this key is named twice",
            )),
            None => Ok(()),
        }
    }
}

fn within(pointer: &str, number: i64, least: i64, most: i64) -> Result<i32, Problem> {
    let fits = (least..=most).contains(&number);
    i32::try_from(number)
        .ok()
        .filter(|_| fits)
        .ok_or_else(|| Problem::invalid(pointer, format!("must be between {least} and {most}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const LIMITS: Limits = Limits {
        gpus_per_node: 8,
        gpus_max: 64,
        lease_seconds: 86_400,
        lease_max_seconds: 2_592_000,
        queue_timeout_seconds: 3_600,
        deadline_seconds: 1_800,
    };

    fn key(n: u128) -> Value {
        json!(SshKeyId::from_uuid(Uuid::from_u128(n)))
    }

    fn body(member: &str, value: Value) -> Value {
        let mut body = json!({
            "project_id": ProjectId::from_uuid(Uuid::from_u128(1)),
            "sku": "h100-80gb",
            "gpu_count": 2,
            "name": "train",
            "ssh_key_ids": [key(1)],
        });
        body[member] = value;
        body
    }

    fn check(body: Value, limits: &Limits) -> Result<Demand, Problem> {
        serde_json::from_value::<Request>(body)
            .expect("can be read")
            .check(limits)
    }

    #[test]
    fn what_is_not_said_is_policy() {
        let demand = check(body("name", json!("train")), &LIMITS).expect("sound");
        assert_eq!(demand.gpu_count, 2);
        assert_eq!(
            (demand.lease_seconds, demand.queue_timeout_seconds),
            (86_400, 3_600)
        );
        let tight = Limits {
            lease_max_seconds: 60,
            ..LIMITS
        };
        assert_eq!(
            check(body("name", json!("x")), &tight)
                .expect("sound")
                .lease_seconds,
            60
        );
        let now = check(body("queue_timeout_seconds", json!(0)), &LIMITS).expect("sound");
        assert_eq!(now.queue_timeout_seconds, 0);
    }

    #[test]
    fn edges() {
        for (member, least, most) in [
            ("gpu_count", 1, 8),
            ("lease_seconds", 1, 2_592_000),
            ("queue_timeout_seconds", 0, 604_800),
        ] {
            for good in [least, most] {
                assert!(
                    check(body(member, json!(good)), &LIMITS).is_ok(),
                    "{member} {good}"
                );
            }
            for bad in [least - 1, most + 1, i64::MIN, i64::MAX] {
                let problem = check(body(member, json!(bad)), &LIMITS).expect_err(member);
                assert_eq!(problem.code(), Code::InvalidRequest, "{member} {bad}");
                assert_eq!(problem.pointers(), [format!("/{member}")], "{bad}");
            }
        }
        let few = Limits {
            gpus_max: 1,
            ..LIMITS
        };
        assert!(check(body("gpu_count", json!(2)), &few).is_err());
    }

    #[test]
    fn keys() {
        let many: Vec<Value> = (0..33).map(key).collect();
        for bad in [json!([]), json!(many), json!([key(1), key(2), key(1)])] {
            let problem = check(body("ssh_key_ids", bad), &LIMITS).expect_err("refused");
            assert_eq!(problem.code(), Code::InvalidRequest);
        }
        assert!(check(body("ssh_key_ids", json!(many[..32])), &LIMITS).is_ok());
    }

    #[test]
    fn what_is_not_built() {
        let problem = check(body("node_count", json!(2)), &LIMITS).expect_err("refused");
        assert_eq!(problem.code(), Code::NotSupported);
        assert_eq!(problem.pointers(), ["/node_count"]);
        for bad in [0, -1] {
            let problem = check(body("node_count", json!(bad)), &LIMITS).expect_err("refused");
            assert_eq!(problem.code(), Code::InvalidRequest);
        }
        assert!(check(body("node_count", json!(1)), &LIMITS).is_ok());
        assert!(check(body("scheduler_request", json!(null)), &LIMITS).is_ok());
    }

    #[test]
    fn env_04_a_scheduler_request_has_a_limit() {
        let long = |bytes: usize| json!({"a": "x".repeat(bytes - r#"{"a":""}"#.len())});
        assert!(check(body("scheduler_request", long(65_536)), &LIMITS).is_ok());
        let problem = check(body("scheduler_request", long(65_537)), &LIMITS).expect_err("refused");
        assert_eq!(problem.code(), Code::InvalidRequest);
        assert_eq!(problem.pointers(), ["/scheduler_request"]);
        for bad in [json!("text"), json!([1]), json!(1)] {
            assert!(serde_json::from_value::<Request>(body("scheduler_request", bad)).is_err());
        }
    }

    #[test]
    fn labels_are_pointed_at() {
        let problem = check(body("labels", json!({"a/~b": "x,y"})), &LIMITS).expect_err("refused");
        assert_eq!(problem.pointers(), ["/labels/a~1~0b"]);
    }
}
