//! Foreign text on somebody's terminal.

use std::borrow::Cow;

/// The text without control characters, so that no answer can move a cursor or ring a bell.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        Cow::Owned(visible.collect())
    } else {
        Cow::Borrowed(text)
    }
}
