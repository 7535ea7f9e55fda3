//! Texts that are read from a file, or from standard input.

use std::io::Read as _;
use std::path::Path;

use super::exit::{Failure, Result};

/// The file's text without blanks around it; `-` is standard input.
pub(crate) fn text(file: &Path, most_bytes: u64) -> Result<String> {
    let refuse = |why: String| Failure::Usage(format!("{}: {why}", file.display()));
    let source: Box<dyn std::io::Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).map_err(|error| refuse(error.to_string()))?)
    };
    let mut text = String::new();
    source
        .take(most_bytes + 1)
        .read_to_string(&mut text)
        .map_err(|error| refuse(error.to_string()))?;
    if text.len() as u64 > most_bytes {
        return Err(refuse(format!("more than {most_bytes} bytes")));
    }
    Ok(text.trim().to_owned())
}
