//! The account files of a new machine: the system accounts of this one, without its people, and
//! without a password for anybody.

/// Lines of `passwd` or `group` below the range of people, and the one of `nobody`. Groups come
/// without their members.
pub(super) fn system_only(file: &str) -> String {
    let system = |line: &&str| {
        let id = line.split(':').nth(2).and_then(|id| id.parse::<u32>().ok());
        id.is_some_and(|id| id < 1000 || id == 65534)
    };
    lines(file.lines().filter(system).map(|line| {
        match line.split(':').collect::<Vec<_>>().as_slice() {
            [name, _, id, _members] => format!("{name}:x:{id}:"),
            _ => line.to_owned(),
        }
    }))
}

/// A `shadow` in which nobody has a password and nobody is locked.
pub(super) fn shadow(passwd: &str) -> String {
    let names = passwd.lines().filter_map(|line| line.split(':').next());
    lines(names.map(|name| format!("{name}:*:19000:0:99999:7:::")))
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// `login.defs` with a range of account ids that does not meet the people of this machine.
pub(super) fn login_defs(original: &str) -> String {
    let mut text: String = original
        .lines()
        .filter(|line| {
            let key = line.split_whitespace().next().unwrap_or_default();
            !matches!(key, "UID_MIN" | "UID_MAX" | "GID_MIN" | "GID_MAX")
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    text.push_str("UID_MIN 20000\nUID_MAX 29999\nGID_MIN 20000\nGID_MAX 29999\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_passwords_stay_behind() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/sh\n\
                      nobody:x:65534:65534::/nonexistent:/bin/false\n";
        let kept = system_only(passwd);
        assert!(kept.contains("root:") && kept.contains("nobody:") && !kept.contains("ann"));
        assert_eq!(system_only("sudo:x:27:ann\nann:x:1000:\n"), "sudo:x:27:\n");
        assert_eq!(shadow("root:x:0:0:::\n"), "root:*:19000:0:99999:7:::\n");
        assert!(login_defs("UID_MIN 1000\nUMASK 022\n").starts_with("UMASK 022\nUID_MIN 20000\n"));
    }
}
