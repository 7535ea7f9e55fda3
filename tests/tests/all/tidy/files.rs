//! Small files: what grows past a screenful of screens is usually two things.

use super::exceptions::Exceptions;
use super::{files, has_extension, none, read};

const MOST_LINES: usize = 400;

#[test]
fn files_stay_small() {
    let found = files()
        .into_iter()
        .filter(|name| has_extension(name, "rs") || has_extension(name, "sh"))
        .map(|name| (read(&name).lines().count(), name))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .map(|(lines, name)| {
            (
                name.clone(),
                format!("{name}: {lines} lines, at most {MOST_LINES}"),
            )
        })
        .collect();
    none(
        &Exceptions::of("long_files").apply(found),
        "look for the missing noun:",
    );
}
