//! `POST /payments/webhook`: signed as Standard Webhooks are (<https://www.standardwebhooks.com>).

use db::PgConnection;
use db::billing::account;
use db::billing::payment::{self, Payment};
use domain::balance::Terms;
use domain::id::{OrgId, PaymentId};
use domain::ledger::Kind;
use domain::money::Money;
use domain::name::Name;
use domain::policy::{self, Scope};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::routes::billing::{MoneySchema, receive, wake_guard};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PaymentProvider,
            rate: RateClass::Internal,
            idempotency: Idempotency::None,
            action: Some(&action::PAYMENT_BOOK),
        },
    )
}

/// What happened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", content = "data")]
#[schema(as = PaymentEvent)]
enum Request {
    #[serde(rename = "payment.succeeded")]
    Succeeded(Paid),
    #[serde(rename = "payment.refunded")]
    Refunded(Refunded),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Paid {
    /// The provider's own name for the payment: told of twice, it is booked once.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    payment_id: Name,
    #[schema(value_type = String)]
    organization_id: OrgId,
    #[schema(value_type = MoneySchema)]
    amount: Money,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refunded {
    /// The provider's own name for the refund.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    refund_id: Name,
    /// The payment of which something went back.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    payment_id: Name,
    #[schema(value_type = MoneySchema)]
    amount: Money,
}

/// How it stands in the ledger.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BookedPayment)]
struct Booked {
    #[schema(value_type = String)]
    id: PaymentId,
    #[schema(value_type = String)]
    organization_id: OrgId,
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// It was told of before: nothing moved now.
    duplicate: bool,
}

/// Book what the payment provider tells
///
/// Signed with HMAC-SHA-256 over `webhook-id.webhook-timestamp.body` by the secret that
/// `BERTH_PAYMENTS_WEBHOOK_SECRET` holds; five minutes old at most. What was booked is not booked
/// again. The first payment of an organization that has used nothing makes its account prepaid.
#[utoipa::path(post, path = "/api/v1/payments/webhook", request_body = Request,
    responses((status = 200, description = "It is in the ledger", body = Booked)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<Booked>, Problem> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let prepaid = mutation.policy()?.value(&policy::PREPAID, Scope::Platform);
    let terms = Terms::of_new_account(prepaid);
    let conn = mutation.conn();
    let (new, of) = match request {
        Request::Succeeded(paid) => (paid.read(), None),
        Request::Refunded(refund) => {
            let (new, of) = refund.read(conn).await?;
            (new, Some(of))
        }
    };
    let known = payment::find(conn, new.kind, &new.reference).await?;
    let duplicate = known.is_some();
    let booked = match known {
        Some(known) => same(known, &new)?,
        None => book(conn, new, of.as_ref(), terms).await?,
    };
    let kind: &str = booked.kind.into();
    mutation.note(json!({
        "organization_id": booked.org_id, "kind": kind, "amount": booked.money, "duplicate": duplicate,
    }));
    let id = booked.id.to_string();
    let body = Booked {
        id: booked.id,
        organization_id: booked.org_id,
        amount: booked.money,
        duplicate,
    };
    Ok(mutation.told("payment", &id, &body).await?)
}

impl Paid {
    fn read(self) -> Payment {
        Payment {
            id: db::id::fresh(),
            org_id: self.organization_id,
            kind: Kind::Payment,
            reference: self.payment_id.as_str().to_owned(),
            money: self.amount,
        }
    }
}

impl Refunded {
    /// With the payment that it is a part of.
    async fn read(self, conn: &mut PgConnection) -> Result<(Payment, Payment), Problem> {
        let of = payment::find(conn, Kind::Payment, self.payment_id.as_str()).await?;
        let detail = "there is no such payment";
        let of = of.ok_or_else(|| Problem::invalid("/data/payment_id", detail))?;
        let new = Payment {
            id: db::id::fresh(),
            org_id: of.org_id,
            kind: Kind::Refund,
            reference: self.refund_id.as_str().to_owned(),
            money: self.amount,
        };
        Ok((new, of))
    }
}

/// What is told twice must be the same both times.
fn same(known: Payment, new: &Payment) -> Result<Payment, Problem> {
    if (known.org_id, known.money) == (new.org_id, new.money) {
        return Ok(known);
    }
    let detail = "it is booked with another amount or for another organization";
    Err(Problem::invalid("/data", detail))
}

async fn book(
    conn: &mut PgConnection,
    new: Payment,
    of: Option<&Payment>,
    terms: Terms,
) -> Result<Payment, Problem> {
    let org = new.org_id;
    receive::ready(conn, org, new.money, terms, "/data").await?;
    if let Some(of) = of {
        let back = payment::refunded(conn, of.id).await?;
        if back + new.money.amount_micros > of.money.amount_micros {
            let detail = "more than is left of the payment";
            return Err(Problem::invalid("/data/amount/amount_micros", detail));
        }
    } else {
        account::prepay(conn, org).await?;
    }
    payment::insert(conn, &new, of.map(|of| of.id)).await?;
    wake_guard(conn, org).await?;
    Ok(new)
}
