//! Keys that Berth signs with. The private half is sealed; this family never opens it.

use domain::envelope::Stored;
use domain::envelope::column::SigningPrivateKey;
use domain::signing_key::{ALGORITHM, Kid, NewSigningKey, PublicKey, Purpose, SigningKey};
use domain::state::SigningKeyState;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Error, Result, one_row, parse};
use crate::sealed;

const TABLE: &str = "signing_keys";

/// Every key that still counts for something, oldest first.
pub async fn valid(conn: &mut PgConnection) -> Result<Vec<SigningKey>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select kid, purpose, public_jwk, private_key_enc as "private_key_enc: Value", state,
                  created_at, activated_at, retiring_at, revoked_at,
                  extract(epoch from clock_timestamp() - coalesce(activated_at, created_at))::float8 as "age_seconds!"
           from signing_keys where state <> 'revoked' order by created_at, kid"#
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(SigningKey::try_from).collect()
}

/// All there ever were, newest first, those after `after`.
pub async fn list(
    conn: &mut PgConnection,
    after: Option<&Kid>,
    limit: i64,
) -> Result<Vec<SigningKey>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select kid, purpose, public_jwk, private_key_enc as "private_key_enc: Value", state,
                  created_at, activated_at, retiring_at, revoked_at,
                  extract(epoch from clock_timestamp() - coalesce(activated_at, created_at))::float8 as "age_seconds!"
           from signing_keys
           where $1::text is null or (created_at, kid) < (
             select last.created_at, last.kid from signing_keys last where last.kid = $1)
           order by created_at desc, kid desc limit $2"#,
        after.map(Kid::as_str),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(SigningKey::try_from).collect()
}

/// Publishes a key as the next of its purpose. `false`: there is a next one already.
pub async fn insert(conn: &mut PgConnection, new: &NewSigningKey) -> Result<bool> {
    let kid = new.public.kid();
    let done = sqlx::query!(
        "insert into signing_keys (kid, purpose, algorithm, public_jwk, private_key_enc)
         values ($1, $2, $3, $4, $5)
         on conflict (purpose) where state = 'pre_published' do nothing",
        kid.as_str(),
        new.purpose.as_str(),
        ALGORITHM,
        new.public.jwk(new.purpose),
        sealed::bind(&new.private) as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets the next key of a purpose sign, where none does. None: one does, or there is no next.
pub async fn promote_first(conn: &mut PgConnection, purpose: Purpose) -> Result<Option<Kid>> {
    let kid = sqlx::query_scalar!(
        "update signing_keys set state = 'active', activated_at = clock_timestamp()
         where purpose = $1 and state = 'pre_published' and not exists (
           select from signing_keys active where active.purpose = $1 and active.state = 'active')
         returning kid",
        purpose.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    kid.map(|kid| read_kid(&kid)).transpose()
}

/// Lets the next key of a purpose sign and retires the one that did. None, and nothing is changed:
/// there is no next. Whether it was published for long enough is the caller's to judge.
pub async fn promote(conn: &mut PgConnection, purpose: Purpose) -> Result<Option<Kid>> {
    let next = sqlx::query_scalar!(
        "select kid from signing_keys where purpose = $1 and state = 'pre_published' for update",
        purpose.as_str(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(next) = next else { return Ok(None) };
    sqlx::query!(
        "update signing_keys
         set state = 'retiring', retiring_at = clock_timestamp(), private_key_enc = null
         where purpose = $1 and state = 'active'",
        purpose.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    let done = sqlx::query!(
        "update signing_keys set state = 'active', activated_at = clock_timestamp()
         where kid = $1 and state = 'pre_published'",
        next,
    )
    .execute(conn)
    .await?;
    one_row(&done)?;
    read_kid(&next).map(Some)
}

/// Stops an active key from signing; what it signed still holds.
pub async fn retire(conn: &mut PgConnection, kid: &Kid) -> Result<()> {
    let done = sqlx::query!(
        "update signing_keys
         set state = 'retiring', retiring_at = clock_timestamp(), private_key_enc = null
         where kid = $1",
        kid.as_str(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Ends a key: nothing that it signed holds any longer. `false`: it was ended before.
pub async fn revoke(conn: &mut PgConnection, kid: &Kid) -> Result<bool> {
    let done = sqlx::query!(
        "update signing_keys
         set state = 'revoked', revoked_at = clock_timestamp(), private_key_enc = null
         where kid = $1 and state <> 'revoked'",
        kid.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends keys of a purpose that stopped signing so many seconds ago; their names.
pub async fn revoke_served(
    conn: &mut PgConnection,
    purpose: Purpose,
    overlap_seconds: i64,
) -> Result<Vec<Kid>> {
    let kids = sqlx::query_scalar!(
        "update signing_keys set state = 'revoked', revoked_at = clock_timestamp(), private_key_enc = null
         where purpose = $1 and state = 'retiring'
           and retiring_at <= clock_timestamp() - $2::bigint * interval '1 second'
         returning kid",
        purpose.as_str(),
        overlap_seconds,
    )
    .fetch_all(conn)
    .await?;
    kids.iter().map(|kid| read_kid(kid)).collect()
}

/// Ends the next key of a purpose if it was published before an instant; its name.
pub async fn revoke_next_of_before(
    conn: &mut PgConnection,
    purpose: Purpose,
    before: OffsetDateTime,
) -> Result<Option<Kid>> {
    let kid = sqlx::query_scalar!(
        "update signing_keys set state = 'revoked', revoked_at = clock_timestamp(), private_key_enc = null
         where purpose = $1 and state = 'pre_published' and created_at < $2 returning kid",
        purpose.as_str(),
        before,
    )
    .fetch_optional(conn)
    .await?;
    kid.map(|kid| read_kid(&kid)).transpose()
}

/// Ends every key of a purpose that signs or signed, but one; their names.
pub async fn revoke_all_but(
    conn: &mut PgConnection,
    purpose: Purpose,
    spared: &Kid,
) -> Result<Vec<Kid>> {
    let kids = sqlx::query_scalar!(
        "update signing_keys set state = 'revoked', revoked_at = clock_timestamp(), private_key_enc = null
         where purpose = $1 and kid <> $2 and state in ('active', 'retiring') returning kid",
        purpose.as_str(),
        spared.as_str(),
    )
    .fetch_all(conn)
    .await?;
    kids.iter().map(|kid| read_kid(kid)).collect()
}

/// Every key of a purpose that was revoked.
pub async fn revoked(conn: &mut PgConnection, purpose: Purpose) -> Result<Vec<Kid>> {
    let kids = sqlx::query_scalar!(
        "select kid from signing_keys where purpose = $1 and state = 'revoked'",
        purpose.as_str(),
    )
    .fetch_all(conn)
    .await?;
    kids.iter().map(|kid| read_kid(kid)).collect()
}

/// The public half of a key, whatever became of it.
pub async fn public(conn: &mut PgConnection, kid: &Kid) -> Result<Option<PublicKey>> {
    let row = sqlx::query!(
        "select purpose, public_jwk from signing_keys where kid = $1",
        kid.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let purpose: Purpose = parse(TABLE, "purpose", kid, &row.purpose)?;
    Ok(PublicKey::from_jwk(&row.public_jwk, purpose))
}

/// The one of a purpose in a state that only one can have: the next, or the one that signs.
pub async fn the_one(
    conn: &mut PgConnection,
    purpose: Purpose,
    state: SigningKeyState,
) -> Result<Option<SigningKey>> {
    let all = valid(conn).await?;
    let mut those = all
        .into_iter()
        .filter(|key| key.purpose == purpose && key.state == state);
    Ok(those.next())
}

struct Row {
    kid: String,
    purpose: String,
    public_jwk: Value,
    private_key_enc: Option<Value>,
    state: String,
    created_at: OffsetDateTime,
    activated_at: Option<OffsetDateTime>,
    retiring_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
    age_seconds: f64,
}

impl TryFrom<Row> for SigningKey {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let kid = read_kid(&row.kid)?;
        let purpose: Purpose = parse(TABLE, "purpose", &kid, &row.purpose)?;
        // A public half under another key's name would make the wrong signatures hold.
        let public = PublicKey::from_jwk(&row.public_jwk, purpose)
            .filter(|public| public.kid() == kid)
            .ok_or_else(|| Error::Inconsistent {
                table: TABLE,
                column: "public_jwk",
                row: kid.to_string(),
            })?;
        Ok(Self {
            purpose,
            state: parse(TABLE, "state", &kid, &row.state)?,
            public,
            private: row.private_key_enc.map(Stored::<SigningPrivateKey>::new),
            created_at: row.created_at,
            activated_at: row.activated_at,
            retiring_at: row.retiring_at,
            revoked_at: row.revoked_at,
            age_seconds: row.age_seconds,
            kid,
        })
    }
}

fn read_kid(text: &str) -> Result<Kid> {
    parse(TABLE, "kid", text, text)
}
