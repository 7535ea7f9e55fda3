//! A script with its variables. Values reach the shell as quoted assignments in front of the
//! script, never as part of a command.

/// Read before each script.
const COMMON: &str = include_str!("../scripts/common.sh");

/// A script to be run on a machine.
#[derive(Debug)]
pub(crate) struct Script {
    variables: String,
    body: &'static str,
}

impl Script {
    pub(crate) fn new(body: &'static str) -> Self {
        Self {
            variables: String::new(),
            body,
        }
    }

    /// Sets a shell variable.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push_str(name);
        self.variables.push('=');
        self.variables.push_str(&quoted(value));
        self.variables.push('\n');
        self
    }

    pub(super) fn into_text(self) -> String {
        [&self.variables, COMMON, self.body].concat()
    }
}

/// One word to a POSIX shell, whatever is in it. A NUL would end the script there; no value that
/// passed its own parser has one.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\0', "").replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_values() {
        for value in [
            "a",
            "",
            "it's",
            "$(id)",
            "`id`",
            "a\nb",
            "\\",
            "'; exit 9; '",
            "é",
        ] {
            let script = format!("X={}\nprintf %s \"$X\"", quoted(value));
            let shell = std::process::Command::new("/bin/sh")
                .args(["-c", &script])
                .output();
            assert_eq!(String::from_utf8(shell.unwrap().stdout).unwrap(), value);
        }
    }

    #[test]
    fn scripts_are_sound_shell() {
        for body in [
            include_str!("../scripts/probe.sh"),
            include_str!("../scripts/install.sh"),
            include_str!("../scripts/accept.sh"),
            include_str!("../scripts/remove.sh"),
            include_str!("../scripts/prove_removed.sh"),
        ] {
            let text = Script::new(body).with("ACCOUNT", "t1").into_text();
            let shell = std::process::Command::new("/bin/sh")
                .args(["-n", "-c", &text])
                .status();
            assert!(shell.unwrap().success());
        }
    }
}
