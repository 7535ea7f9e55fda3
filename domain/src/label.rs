//! Labels: short pairs by which people sort their things, and the selector that finds them again.

use std::collections::BTreeMap;

/// Most labels on one thing.
pub const MAX_LABELS: usize = 32;
/// Longest key and longest value, in characters.
pub const MAX_CHARS: usize = 63;

pub type Labels = BTreeMap<String, String>;

/// Why a text is no label or no selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error("at most {MAX_LABELS} labels")]
    TooMany,
    #[error(
        "a key has 1 to {MAX_CHARS} of the characters A-Z, a-z, 0-9, `.`, `_`, `/` and `-`, and starts and ends with a letter or digit"
    )]
    Key,
    #[error(
        "a value has at most {MAX_CHARS} characters, none of them a comma or a control character"
    )]
    Value,
}

/// Checks every pair; the key at fault comes with the reason, for the pointer in the answer.
pub fn check(labels: &Labels) -> Result<(), (Option<&str>, LabelError)> {
    if labels.len() > MAX_LABELS {
        return Err((None, LabelError::TooMany));
    }
    for (key, value) in labels {
        check_key(key).map_err(|error| (Some(key.as_str()), error))?;
        check_value(value).map_err(|error| (Some(key.as_str()), error))?;
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), LabelError> {
    let plain = |c: char| c.is_ascii_alphanumeric();
    let sound = (1..=MAX_CHARS).contains(&key.len())
        && key.starts_with(plain)
        && key.ends_with(plain)
        && key.chars().all(|c| plain(c) || "._/-".contains(c));
    sound.then_some(()).ok_or(LabelError::Key)
}

fn check_value(value: &str) -> Result<(), LabelError> {
    // A comma separates the terms of a selector.
    let sound =
        value.chars().count() <= MAX_CHARS && !value.chars().any(|c| c == ',' || c.is_control());
    sound.then_some(()).ok_or(LabelError::Value)
}

/// What a list is narrowed to: `team=ml,spot` wants the label `team` to be `ml` and any label
/// `spot` to be there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    pub equal: Labels,
    pub present: Vec<String>,
}

impl std::str::FromStr for Selector {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let mut selector = Self::default();
        for term in text.split(',') {
            if let Some((key, value)) = term.split_once('=') {
                check_key(key)?;
                check_value(value)?;
                selector.equal.insert(key.to_owned(), value.to_owned());
            } else {
                check_key(term)?;
                selector.present.push(term.to_owned());
            }
        }
        if selector.equal.len() + selector.present.len() > MAX_LABELS {
            return Err(LabelError::TooMany);
        }
        Ok(selector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn edges_of_keys_and_values() {
        let long = "a".repeat(MAX_CHARS);
        for good in [
            ("team", "ml"),
            ("A.b/c-d_e", ""),
            ("team", "größer als 7"),
            (long.as_str(), long.as_str()),
        ] {
            assert_eq!(check(&labels(&[good])), Ok(()), "{good:?}");
        }
        let over = "a".repeat(MAX_CHARS + 1);
        for (key, value, error) in [
            ("", "x", LabelError::Key),
            (over.as_str(), "x", LabelError::Key),
            ("größe", "x", LabelError::Key),
            ("-team", "x", LabelError::Key),
            ("team/", "x", LabelError::Key),
            ("te am", "x", LabelError::Key),
            ("t\0", "x", LabelError::Key),
            ("team", over.as_str(), LabelError::Value),
            ("team", "a,b", LabelError::Value),
            ("team", "a\n", LabelError::Value),
            ("team", "a\0", LabelError::Value),
        ] {
            assert_eq!(check(&labels(&[(key, value)])), Err((Some(key), error)));
        }
    }

    #[test]
    fn the_number_is_bounded() {
        let many: Labels = (0..=MAX_LABELS)
            .map(|n| (format!("k{n}"), String::new()))
            .collect();
        assert_eq!(check(&many), Err((None, LabelError::TooMany)));
    }

    #[test]
    fn selectors() {
        let selector: Selector = "team=ml,spot,env=".parse().expect("sound");
        assert_eq!(selector.equal, labels(&[("team", "ml"), ("env", "")]));
        assert_eq!(selector.present, ["spot"]);
        for bad in ["", ",", "=x", "te am=x", "team=ml,"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad}");
        }
    }
}
