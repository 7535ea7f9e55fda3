//! What a script reports: lines of a word and its text. Only what is asked for by name is used,
//! and it is parsed before it goes anywhere.

use domain::inventory::{self, Gpu};
use platform::ssh::Output;

use super::Fault;

/// As `sysexits.h`: the script could not get its turn.
const TRY_AGAIN: u32 = 75;

/// A script's lines, once it came to its end.
#[derive(Debug)]
pub(crate) struct Report {
    lines: Vec<(String, String)>,
}

impl Report {
    pub(super) fn read(output: &Output) -> Result<Self, Fault> {
        let lines: Vec<(String, String)> = output
            .stdout
            .lines()
            .map(|line| line.split_once(' ').unwrap_or((line, "")))
            .map(|(word, text)| (word.to_owned(), text.to_owned()))
            .collect();
        let report = Self { lines };
        if let Some(code) = report.get("fault") {
            return Err(Fault::node(code, "a step on the node found it unusable"));
        }
        match output.status {
            0 => Ok(report),
            TRY_AGAIN => Err(Fault::Away(
                domain::reason::Code::step_exhausted(),
                "the node is busy with another change".to_owned(),
            )),
            status => {
                tracing::warn!(status, stderr = output.stderr, "a script failed on a node");
                Err(Fault::node(
                    "script_failed",
                    format!("a script ended with status {status}"),
                ))
            }
        }
    }

    /// The first line that begins with the word.
    pub(crate) fn get(&self, word: &str) -> Option<&str> {
        self.all(word).next()
    }

    pub(crate) fn all(&self, word: &str) -> impl Iterator<Item = &str> {
        let found = move |line: &&(String, String)| line.0 == word;
        self.lines.iter().filter(found).map(|line| line.1.as_str())
    }

    /// The GPUs that the machine shows.
    pub(crate) fn gpus(&self) -> Result<Vec<Gpu>, Fault> {
        let csv: Vec<_> = self.all("gpu").collect();
        inventory::parse(&csv.join("\n"))
            .map_err(|error| Fault::node("inventory_unreadable", error.to_string()))
    }

    /// The kernel's boot id, a UUID.
    pub(crate) fn boot_id(&self) -> Result<&str, Fault> {
        self.get("boot_id")
            .filter(|id| id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'))
            .ok_or_else(|| Fault::node("inventory_unreadable", "the node shows no boot id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(status: u32, stdout: &str) -> Output {
        Output {
            status,
            stdout: stdout.to_owned(),
            stderr: String::new(),
        }
    }

    #[test]
    fn faults_speak_before_the_status() {
        for (status, stdout, code) in [
            (3, "fault gpu_missing\n", "gpu_missing"),
            (0, "done\nfault gpu_in_use\n", "gpu_in_use"),
            (1, "", "script_failed"),
            (3, "fault $(reboot)\n", "step_exhausted"),
        ] {
            match Report::read(&output(status, stdout)) {
                Err(Fault::Node(found, _)) => assert_eq!(found.as_str(), code),
                other => panic!("{other:?}"),
            }
        }
        let busy = Report::read(&output(75, ""));
        assert!(matches!(busy, Err(Fault::Away(..))));
    }

    #[test]
    fn words_and_texts() {
        let report = Report::read(&output(0, "left account\nleft device 3\ndone\n")).unwrap();
        assert_eq!(
            report.all("left").collect::<Vec<_>>(),
            ["account", "device 3"]
        );
        assert_eq!(report.get("done"), Some(""));
        assert!(report.boot_id().is_err());
    }
}
