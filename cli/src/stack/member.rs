//! The names of everything that a stack runs.

use std::fmt;
use std::str::FromStr;

/// One child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Member {
    Postgres,
    Redis,
    Nats,
    Temporal,
    Api,
    Worker,
    Relay,
    /// The privileged process that makes the simulated nodes.
    NodeHost,
    /// A simulated node, counted from 1.
    Node(u32),
}

impl Member {
    pub(super) const SERVERS: [Member; 4] = [
        Member::Postgres,
        Member::Redis,
        Member::Nats,
        Member::Temporal,
    ];
    pub(super) const ROLES: [Member; 3] = [Member::Api, Member::Worker, Member::Relay];

    /// Roles come back by themselves when they die; a server or a machine that died is news.
    pub(super) fn is_role(self) -> bool {
        Member::ROLES.contains(&self)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Member::Postgres => "postgres",
            Member::Redis => "redis",
            Member::Nats => "nats",
            Member::Temporal => "temporal",
            Member::Api => "api",
            Member::Worker => "worker",
            Member::Relay => "relay",
            Member::NodeHost => "node-host",
            Member::Node(number) => return f.pad(&format!("node-{number}")),
        };
        f.pad(name)
    }
}

impl FromStr for Member {
    type Err = UnknownMember;

    fn from_str(name: &str) -> Result<Member, UnknownMember> {
        let fixed = Member::SERVERS
            .into_iter()
            .chain(Member::ROLES)
            .chain([Member::NodeHost]);
        let number = || {
            name.strip_prefix("node-")?
                .parse()
                .ok()
                .filter(|number| *number > 0)
        };
        fixed
            .into_iter()
            .find(|member| member.to_string() == name)
            .or_else(|| number().map(Member::Node))
            .ok_or_else(|| UnknownMember(name.to_owned()))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a stack has no {0}")]
pub(super) struct UnknownMember(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        let all = Member::SERVERS.into_iter().chain(Member::ROLES).chain([
            Member::NodeHost,
            Member::Node(1),
            Member::Node(12),
        ]);
        for member in all {
            assert_eq!(member.to_string().parse::<Member>().unwrap(), member);
        }
        for strange in ["node-0", "node-", "gateway", ""] {
            assert!(strange.parse::<Member>().is_err(), "{strange}");
        }
    }
}
