//! The children's logs.

use std::path::Path;

const TAIL_LINES: usize = 8;
const TAIL_BYTES: usize = 4096;

/// The last lines of a log, indented, and where the rest is.
pub(super) fn tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines
        .iter()
        .skip(lines.len().saturating_sub(TAIL_LINES))
        .map(|line| format!("\n    {line}"));
    format!("see {}{}", path.display(), last.collect::<String>())
}
