//! Who wraps data keys.

use std::path::PathBuf;

use url::Url;

use super::{From, Result, SettingsError, WEB, bad};
use crate::settings::{KmsSettings, TransitLogin, TransitSettings};

pub(super) fn settings(from: &From<'_>) -> Result<KmsSettings> {
    match from.required("BERTH_KMS")? {
        "keyring" => Ok(KmsSettings::Keyring),
        "transit" => Ok(KmsSettings::Transit(Box::new(transit(from)?))),
        _ => Err(bad("BERTH_KMS", "neither `keyring` nor `transit`")),
    }
}

fn transit(from: &From<'_>) -> Result<TransitSettings> {
    let address = from.required_url("BERTH_TRANSIT_ADDRESS", WEB)?;
    Ok(TransitSettings {
        address: Url::parse(&address).map_err(|_| bad("BERTH_TRANSIT_ADDRESS", "not a URL"))?,
        mount: name(from, "BERTH_TRANSIT_MOUNT")?,
        key: name(from, "BERTH_TRANSIT_KEY")?,
        namespace: from.get("BERTH_TRANSIT_NAMESPACE").map(str::to_owned),
        login: login(from)?,
    })
}

/// A part of a path, so that it cannot lead elsewhere.
fn name(from: &From<'_>, setting: &'static str) -> Result<String> {
    let text = from.required(setting)?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if !text.bytes().all(plain) {
        return Err(bad(setting, "only a-z, 0-9, hyphen and underscore"));
    }
    Ok(text.to_owned())
}

fn login(from: &From<'_>) -> Result<TransitLogin> {
    const TOKEN: &str = "BERTH_TRANSIT_TOKEN_FILE";
    const ROLE: &str = "BERTH_TRANSIT_ROLE_ID";
    const SECRET: &str = "BERTH_TRANSIT_SECRET_ID_FILE";
    match (from.get(TOKEN), from.get(ROLE), from.get(SECRET)) {
        (Some(file), None, None) => Ok(TransitLogin::TokenFile(PathBuf::from(file))),
        (None, Some(role_id), Some(file)) => Ok(TransitLogin::AppRole {
            role_id: role_id.to_owned(),
            secret_id_file: PathBuf::from(file),
        }),
        (Some(_), _, _) => Err(bad(TOKEN, "either a token or an AppRole, not both")),
        (None, None, None) => Err(SettingsError::Missing {
            name: TOKEN,
            text: "how to log in at BERTH_TRANSIT_ADDRESS; or an AppRole",
        }),
        (None, Some(_), None) => from.required(SECRET).map(|_| unreachable!("it is unset")),
        (None, None, Some(_)) => from.required(ROLE).map(|_| unreachable!("it is unset")),
    }
}
