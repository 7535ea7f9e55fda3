//! Why a step on a machine did not happen, and what Temporal is told about it.

use contract::failure;
use domain::inventory::Finding;
use domain::reason::Code;
use platform::dial::DialError;
use platform::ssh::SshError;
use temporalio_common::error::ApplicationFailure;
use temporalio_sdk::activities::ActivityError;

use crate::refusal::Refusal;

/// Deliberately no `std::error::Error`: `?` must not turn it into a failure without a type.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The machine is bad. The second part is for people: no address, nothing that it printed.
    Node(Code, String),
    /// The machine did not answer this time.
    Away(Code, String),
    /// The guard refused the address.
    Denied,
    /// Something of Berth's own failed; tried again.
    Own(anyhow::Error),
    /// The row is not where the step starts from, or the database is away.
    Refused(Refusal),
    CalledOff,
}

impl Fault {
    /// A fault of the machine; `code` is one of ours or a script's.
    pub(crate) fn node(code: &str, text: impl Into<String>) -> Self {
        Self::Node(known(code), text.into())
    }

    fn away(code: &str, text: impl Into<String>) -> Self {
        Self::Away(known(code), text.into())
    }

    pub(crate) fn own(error: impl Into<anyhow::Error>) -> Self {
        Self::Own(error.into())
    }

    /// Of several findings the first, which is the gravest, gives the code.
    pub(crate) fn of_findings(findings: &[Finding]) -> Option<Self> {
        let first = findings.first()?;
        let texts: Vec<_> = findings.iter().map(|f| f.detail.as_str()).collect();
        Some(Self::node(first.code.as_str(), texts.join("; ")))
    }

    /// What the step's row says; nothing when the step is not over.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Node(code, text) | Self::Away(code, text) => Some(format!("{code}: {text}")),
            Self::Denied => {
                let code = Code::probe_target_denied();
                Some(format!(
                    "{code}: the network guard refused the node's address"
                ))
            }
            Self::Own(_) | Self::Refused(_) | Self::CalledOff => None,
        }
    }
}

/// Scripts say codes; a text that is none is a script gone wrong.
fn known(code: &str) -> Code {
    code.parse().unwrap_or_else(|_| Code::step_exhausted())
}

impl From<DialError> for Fault {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Denied(_) => Self::Denied,
            DialError::Unresolved => Self::away("node_unresolved", error.to_string()),
            DialError::Connect(_) | DialError::TimedOut => {
                Self::away("node_unreachable", error.to_string())
            }
        }
    }
}

impl From<SshError> for Fault {
    fn from(error: SshError) -> Self {
        let text = error.to_string();
        match error {
            SshError::HostKey => Self::node("host_key_mismatch", text),
            SshError::LoginRefused => Self::node("login_refused", text),
            SshError::Credentials(_) => Self::node("host_key_unreadable", text),
            SshError::OutputTooLarge => Self::node("output_too_large", text),
            SshError::TimedOut(..) => Self::away("node_timeout", text),
            SshError::Broken(_) | SshError::Ended => Self::away("connection_lost", text),
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<db::Error> for Fault {
    fn from(error: db::Error) -> Self {
        Self::Refused(error.into())
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Refused(error.into())
    }
}

impl From<Fault> for ActivityError {
    fn from(fault: Fault) -> Self {
        let typed = |name: &str, code: Code, text: String| {
            let failure = ApplicationFailure::builder(anyhow::Error::msg(text))
                .type_name(name.to_owned())
                .details(code.to_string());
            Self::application(failure.build())
        };
        match fault {
            Fault::Node(code, text) => typed(failure::NODE_FAULT, code, text),
            Fault::Away(code, text) => typed(failure::NODE_AWAY, code, text),
            Fault::Denied => typed(
                failure::TARGET_DENIED,
                Code::probe_target_denied(),
                "the network guard refused the node's address".to_owned(),
            ),
            Fault::Own(error) => Self::application(ApplicationFailure::new(error)),
            Fault::Refused(refusal) => refusal.into(),
            Fault::CalledOff => Self::cancelled(),
        }
    }
}
