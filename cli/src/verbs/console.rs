//! Where a verb speaks: data on one side, talk on the other.

use std::io::{self, IsTerminal, Write};

use super::exit::Failure;

/// Two outputs, and whether a person looks at each.
pub(crate) struct Console {
    data: Box<dyn Write + Send>,
    talk: Box<dyn Write + Send>,
    talk_is_terminal: bool,
}

impl Console {
    /// This process's stdout and stderr.
    pub(crate) fn system() -> Self {
        Self {
            talk_is_terminal: io::stderr().is_terminal(),
            data: Box::new(io::stdout()),
            talk: Box::new(io::stderr()),
        }
    }

    /// Two pipes.
    #[cfg(test)]
    pub(crate) fn pipes(data: Box<dyn Write + Send>, talk: Box<dyn Write + Send>) -> Self {
        Self {
            data,
            talk,
            talk_is_terminal: false,
        }
    }

    pub(crate) fn talk_is_terminal(&self) -> bool {
        self.talk_is_terminal
    }

    /// Writes what was asked for, ending with a line break.
    pub(crate) fn data(&mut self, text: &str) -> Result<(), Failure> {
        self.data.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            self.data.write_all(b"\n")?;
        }
        self.data.flush()?;
        Ok(())
    }

    /// Writes a line beside the data. Talk that nobody hears stops no work.
    pub(crate) fn talk(&mut self, line: &str) {
        drop(writeln!(self.talk, "{line}"));
    }

    pub(crate) fn talk_writer(&mut self) -> &mut (dyn Write + Send) {
        &mut *self.talk
    }

    pub(crate) fn complain(&mut self, failure: &Failure) {
        if !failure.is_unheard() {
            self.talk(&format!("berth: {failure}"));
        }
    }
}
