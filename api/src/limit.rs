//! How often somebody may call (RL-01 to RL-06). A request passes here twice: as a stranger's,
//! before anything is looked up about it, and as somebody's, once it is known whose it is.
//!
//! Strangers are counted by address. Whoever then proves to be somebody has that charge back, and
//! his credential is remembered for a while: it is not a stranger's again, so that a flood of bad
//! keys from one address does not shut out the good ones from there, and it is counted as his own
//! before anything is looked up. Somebody is counted by four buckets at once. What is remembered
//! decides about buckets only; whether the credential opens anything is asked anew each time.

mod client;
mod count;
mod fields;
mod rates;
mod table;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Extensions, HeaderMap};
use domain::client_address::networks;
use domain::id::{OrgId, UserId};
use domain::policy;
use domain::rate::{self, Limit, Rate};
use ipnet::IpNet;
use moka::sync::Cache;
use platform::limiter::{Ask, Bucket, Limiter, State};
use platform::settings::Settings;
use strum::IntoStaticStr;

pub(crate) use self::client::Peer;
use self::count::Counts;
pub(crate) use self::count::Tally;
pub(crate) use self::fields::Fields;
pub(crate) use self::rates::prepare;
use self::table::{Terms, Undecided, terms};
use crate::authentication::Principal;
use crate::endpoint::RateClass;
use crate::policy::Live;
use crate::problem::{Code, Problem};

/// For how long a credential that opened something is not a stranger's.
const PROVEN: Duration = Duration::from_mins(1);
const MOST_PROVEN: u64 = 100_000;
/// When a call may come back that nobody could decide about: the breaker looks again by then.
const UNDECIDED_RETRY_SECONDS: u32 = 1;

/// Everything about limits that requests share.
pub struct Limits {
    limiter: Limiter,
    rates: rates::Rates,
    trusted_proxies: Vec<IpNet>,
    /// By SHA-256 of the credential.
    proven: Cache<[u8; 32], Subject>,
    counts: Counts,
}

/// Whom a call is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    pub org_id: OrgId,
    pub user_id: UserId,
}

impl From<&Principal> for Subject {
    fn from(principal: &Principal) -> Self {
        Self {
            org_id: principal.org_id,
            user_id: principal.user_id,
        }
    }
}

/// What a bucket belongs to; also the `reason` of `api_ratelimit_rejected_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Whose {
    Principal,
    Organization,
    Address,
    /// Everybody who calls routes of the class.
    Class,
}

impl Whose {
    /// Nobody but the caller's own organization is in it.
    fn is_private(self) -> bool {
        matches!(self, Self::Principal | Self::Organization)
    }
}

/// A bucket with its name in answers.
struct Named {
    name: String,
    whose: Whose,
    ask: Ask,
}

impl Named {
    fn new(limit: &Limit, whose: Whose, part: &str, of: &str, rate: Rate) -> Self {
        let kind: &'static str = whose.into();
        let name = format!("{}-{kind}{part}", limit.name);
        Self {
            ask: Ask {
                // A changed limit is another bucket, which begins whole: what is left of a bucket
                // of one size says nothing about one of another.
                key: format!(
                    "berth:rate:{name}:{of}:{}:{}",
                    rate.interval_micros(),
                    rate.burst()
                ),
                rate,
            },
            name,
            whose,
        }
    }
}

impl Limits {
    /// Rates come from `policies`.
    pub fn new(settings: &Settings, policies: Arc<Live>) -> anyhow::Result<Self> {
        Ok(Self {
            limiter: Limiter::new(&settings.redis_url, settings.api_replicas)?,
            rates: rates::Rates(policies),
            trusted_proxies: settings.trusted_proxy_cidrs.clone(),
            proven: Cache::builder()
                .max_capacity(MOST_PROVEN)
                .time_to_live(PROVEN)
                .build(),
            counts: Counts::new(),
        })
    }

    pub(crate) fn breaker(&self) -> State {
        self.limiter.state()
    }

    pub(crate) fn tally(&self) -> Tally {
        self.counts.tally()
    }

    pub fn passage(
        &self,
        class: RateClass,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Passage<'_> {
        Passage {
            limits: self,
            class,
            client: client::address(&self.trusted_proxies, headers, extensions),
            charged: Vec::new(),
            undecided: false,
            fields: Fields::default(),
        }
    }

    /// By address alone, an IPv6 address by three networks.
    fn strangers(&self, client: IpAddr) -> Vec<Named> {
        let limit = &rate::UNAUTHENTICATED;
        let rate = self.rates.of(limit, None);
        let networks = networks(client).into_iter();
        networks
            .map(|(network, times)| {
                let part = match (network, network.prefix_len()) {
                    (IpNet::V6(_), length @ ..64) => format!("-{length}"),
                    _ => String::new(),
                };
                let of = network.to_string();
                Named::new(limit, Whose::Address, &part, &of, rate.times(times))
            })
            .collect()
    }

    /// By person, organization, address and class.
    fn somebodys(&self, limit: &Limit, subject: Subject, client: IpAddr) -> Vec<Named> {
        let (org, user) = (subject.org_id, subject.user_id);
        let own = self.rates.of(limit, Some(org));
        // What is shared beyond an organization does not grow with one of them.
        let anybodys = self.rates.of(limit, None);
        let factor = |policy, org| self.rates.value(policy, org);
        let network = networks(client).into_iter().next();
        let address = network.map(|(network, _)| network.to_string());
        vec![
            Named::new(limit, Whose::Principal, "", &format!("{org}:{user}"), own),
            Named::new(
                limit,
                Whose::Organization,
                "",
                &org.to_string(),
                own.times(factor(&policy::ORGANIZATION_FACTOR, Some(org))),
            ),
            Named::new(
                limit,
                Whose::Address,
                "",
                &address.unwrap_or_default(),
                anybodys.times(factor(&policy::ADDRESS_FACTOR, None)),
            ),
            Named::new(
                limit,
                Whose::Class,
                "",
                "all",
                anybodys.times(factor(&policy::CLASS_FACTOR, None)),
            ),
        ]
    }
}

/// One request on its way past the limits.
pub struct Passage<'a> {
    limits: &'a Limits,
    class: RateClass,
    client: IpAddr,
    /// What it was charged as a stranger's, in Redis.
    charged: Vec<Ask>,
    /// Redis was asked and did not decide: it is not asked again for this request.
    undecided: bool,
    fields: Fields,
}

impl Passage<'_> {
    /// What the answer says about limits, whatever it is otherwise.
    pub(crate) fn fields(self) -> Fields {
        self.fields
    }

    /// Where the request comes from.
    pub(crate) fn client(&self) -> IpAddr {
        self.client
    }

    /// Whose this credential was when it opened something a moment ago.
    pub fn proven(&self, credential: [u8; 32]) -> Option<Subject> {
        self.limits.proven.get(&credential)
    }

    /// It opened something now.
    pub fn prove(&self, credential: [u8; 32], subject: Subject) {
        self.limits.proven.insert(credential, subject);
    }

    /// It opens nothing any more.
    pub fn disprove(&self, credential: [u8; 32]) {
        self.limits.proven.invalidate(&credential);
    }

    /// Counts a request of which nothing is known but where it comes from.
    pub async fn as_strangers(&mut self) -> Result<(), Problem> {
        let Some(terms) = terms(self.class) else {
            return Ok(());
        };
        let named = self.limits.strangers(self.client);
        let buckets = self.decide(terms, &named).await?;
        if !self.undecided {
            self.charged = named.iter().map(|named| named.ask.clone()).collect();
        }
        // All that a stranger has is his address.
        self.judge(named, buckets, |_| true)
    }

    /// Counts a request that is somebody's, and takes back what he was charged as a stranger.
    pub async fn as_somebodys(&mut self, subject: Subject) -> Result<(), Problem> {
        let (limits, charged) = (self.limits, std::mem::take(&mut self.charged));
        let give_back = async {
            if !charged.is_empty() && limits.limiter.give_back(&charged).await.is_err() {
                tracing::debug!("a charge was not given back");
            }
        };
        let Some(terms) = terms(self.class) else {
            give_back.await;
            return Ok(());
        };
        let named = limits.somebodys(terms.limit, subject, self.client);
        let (buckets, ()) = futures::join!(self.decide(terms, &named), give_back);
        let buckets = buckets?;
        self.judge(named, buckets, Whose::is_private)
    }

    async fn decide(&mut self, terms: Terms, named: &[Named]) -> Result<Vec<Bucket>, Problem> {
        let asks: Vec<Ask> = named.iter().map(|named| named.ask.clone()).collect();
        let limits = self.limits;
        if !self.undecided {
            if let Ok(buckets) = limits.limiter.decide(&asks).await {
                return Ok(buckets);
            }
            self.undecided = true;
            if terms.undecided == Undecided::Local {
                limits.counts.failed_open(self.class);
            }
        }
        match terms.undecided {
            Undecided::Local => Ok(limits.limiter.decide_locally(&asks)),
            Undecided::Refused => {
                limits.counts.rejected(self.class, "undecided");
                Err(Problem::new(Code::Unavailable)
                    .detail("nobody can say whether this is within the limits")
                    .retry_after_seconds(UNDECIDED_RETRY_SECONDS))
            }
        }
    }

    /// Lets the request on, or says which limits it is beyond.
    fn judge(
        &mut self,
        named: Vec<Named>,
        buckets: Vec<Bucket>,
        shown: fn(Whose) -> bool,
    ) -> Result<(), Problem> {
        let all: Vec<(Named, Bucket)> = named.into_iter().zip(buckets).collect();
        let exceeded = |bucket: &Bucket| bucket.exceeded;
        let Some((first, _)) = all.iter().find(|(_, bucket)| exceeded(bucket)) else {
            let shown = all.into_iter().filter(|(named, _)| shown(named.whose));
            self.fields = Fields::new(shown.map(|(named, bucket)| (named.name, bucket)).collect());
            return Ok(());
        };
        let class = self.class;
        self.limits.counts.rejected(class, first.whose.into());
        let violated = all.into_iter().filter(|(_, bucket)| exceeded(bucket));
        let violated: Vec<(String, Bucket)> = violated
            .map(|(named, bucket)| (named.name, bucket))
            .collect();
        let seconds = violated.iter().map(|(_, bucket)| bucket.level.next_seconds);
        let seconds = u32::try_from(seconds.max().unwrap_or(1)).unwrap_or(u32::MAX);
        let beyond = violated.iter().map(|(name, _)| name.clone()).collect();
        self.fields = Fields::new(violated);
        Err(Problem::new(Code::RateLimited)
            .violates(beyond)
            .retry_after_seconds(seconds))
    }
}
