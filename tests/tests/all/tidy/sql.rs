//! SQL stands in `db`, in macros that the compiler checks against the schema.

use regex::Regex;

use super::exceptions::Exceptions;
use super::{code_lines, none, product_sources, read};

#[test]
fn sql_is_checked_and_lives_in_db() {
    let unchecked = Regex::new(r"\b(query|query_as|query_scalar|query_with|query_as_with|raw_sql)(::<[^(]*>)?\(|\bQueryBuilder\b|_unchecked!\(").unwrap();
    let of_sqlx = Regex::new(r"sqlx::|QueryBuilder|_unchecked!").unwrap();
    let checked = Regex::new(r"\bquery(_as|_scalar|_file|_file_as)?!\(").unwrap();
    let (mut loose, mut astray) = (Vec::new(), Vec::new());
    for file in product_sources() {
        let text = read(&file);
        for (at, line) in code_lines(&text) {
            if unchecked.is_match(line) && of_sqlx.is_match(line) {
                loose.push((file.clone(), format!("{file}:{at}: {}", line.trim())));
            }
            if checked.is_match(line) && !file.starts_with("db/src/") {
                astray.push((file.clone(), format!("{file}:{at}: {}", line.trim())));
            }
        }
    }
    let mut problems = Exceptions::of("unchecked_sql").apply(loose);
    problems.extend(Exceptions::of("sql_outside_db").apply(astray));
    none(&problems, "use sqlx::query! and friends, in db:");
}

/// State changes of allocations belong to their workflow: nobody else moves them.
#[test]
fn only_activities_move_allocations() {
    let moves = Regex::new(r"allocation::transition\b").unwrap();
    let mut problems = Vec::new();
    for file in product_sources() {
        if file.starts_with("activities/src/") || file.starts_with("db/src/") {
            continue;
        }
        let text = read(&file);
        problems.extend(
            code_lines(&text)
                .filter(|(_, line)| moves.is_match(line))
                .map(|(at, line)| format!("{file}:{at}: {}", line.trim())),
        );
    }
    none(
        &problems,
        "an allocation's state changes outside its workflow:",
    );
    assert!(read("db/src/allocation/mod.rs").contains("mod transition"));
}
