//! What `berth up` says while it works. A reader that went away does not stop a stack.

use std::fmt::Display;
use std::io::Write as _;

/// One line of talk, on stderr.
pub(super) fn say(line: impl Display) {
    writeln!(std::io::stderr().lock(), "{line}").ok();
}

/// One line of data, on stdout.
pub(super) fn show(line: impl Display) {
    writeln!(std::io::stdout().lock(), "{line}").ok();
}
