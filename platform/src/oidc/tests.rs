mod confusion;
mod wycheproof;

use domain::jwt::{Algorithm, Compact, KeySet, Reject};

/// The seam under test: a token, a published set, and the issuer's algorithms.
fn accept(token: &str, keys: &KeySet, allowed: &[Algorithm]) -> Result<(), Reject> {
    let token = Compact::parse(token)?;
    super::verify(&token, token.key(keys, allowed)?)
}
