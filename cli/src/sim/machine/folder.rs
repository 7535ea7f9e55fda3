//! What a machine's folder holds, made on its first start and completed on each.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use anyhow::Context as _;
use rand::RngExt as _;
use tokio::process::Command;

use super::accounts;
use crate::sim::protocol::NodeRequest;

/// What a login needs of this machine's `/etc`; everything else of it stays unseen.
const COPIED: &[&str] = &[
    "alternatives",
    "bash.bashrc",
    "ca-certificates.conf",
    "debian_version",
    "default",
    "deluser.conf",
    "environment",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "os-release",
    "pam.conf",
    "pam.d",
    "profile",
    "protocols",
    "security",
    "services",
    "shells",
    "skel",
    "terminfo",
    "timezone",
];
const HOST_KEY: &str = "ssh/ssh_host_ed25519_key";

/// Brings the folder to where the machine can boot from it.
pub(super) async fn prepare(
    directory: &Path,
    authority: &str,
    owner: Option<(u32, u32)>,
    address: Ipv4Addr,
    request: &NodeRequest,
) -> anyhow::Result<()> {
    for sub in ["home", "devices", "faults"] {
        fs::create_dir_all(directory.join(sub))
            .with_context(|| format!("cannot write {}", directory.display()))?;
    }
    if let Some((uid, gid)) = owner {
        chown(directory.join("faults"), Some(uid), Some(gid))?;
    }
    fs::write(directory.join("faults.applied"), "")?;
    let etc = directory.join("etc");
    if !etc.exists() {
        // Under another name until it is whole: a start that was cut short begins again.
        let unfinished = directory.join("etc.new");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        make_etc(&unfinished).await?;
        fs::rename(&unfinished, &etc)?;
    }
    let config = include_str!("sshd_config").replace("@ADDRESS@", &address.to_string());
    fs::write(etc.join("ssh/sshd_config"), config)?;
    fs::write(etc.join("ssh/sshd_config.d/fault.conf"), "")?;
    fs::write(etc.join("ssh/berth_user_ca.pub"), authority)?;
    fs::write(etc.join("hostname"), format!("{}\n", request.name))?;
    let hosts = format!("127.0.0.1 localhost\n{address} {}\n", request.name);
    fs::write(etc.join("hosts"), hosts)?;
    fs::write(etc.join("berth/gpus.csv"), inventory(directory, request)?)?;
    fs::write(directory.join("boot.sh"), include_str!("boot.sh"))?;
    fs::write(directory.join("nvidia-smi"), include_str!("nvidia-smi.sh"))?;
    fs::write(directory.join("dmesg"), include_str!("dmesg.sh"))?;
    for index in 0..request.gpus {
        let device = directory.join(format!("devices/nvidia{index}"));
        if !device.exists() {
            fs::write(&device, "")?;
            fs::set_permissions(&device, fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

/// Algorithm and key data of the machine's host key.
pub(super) fn host_key(directory: &Path) -> anyhow::Result<String> {
    let line = fs::read_to_string(directory.join("etc").join(format!("{HOST_KEY}.pub")))?;
    let key = ssh_key::PublicKey::from_openssh(&line)?;
    Ok(ssh_key::PublicKey::from(key.key_data().clone()).to_openssh()?)
}

async fn make_etc(etc: &Path) -> anyhow::Result<()> {
    for sub in ["ssh/sshd_config.d", "ssh/principals", "berth"] {
        fs::create_dir_all(etc.join(sub))?;
    }
    let present = COPIED
        .iter()
        .map(|name| Path::new("/etc").join(name))
        .filter(|path| path.symlink_metadata().is_ok());
    run(Command::new("cp").arg("-a").args(present).arg(etc)).await?;

    let passwd = accounts::system_only(&fs::read_to_string("/etc/passwd")?);
    fs::write(etc.join("shadow"), accounts::shadow(&passwd))?;
    fs::set_permissions(etc.join("shadow"), fs::Permissions::from_mode(0o600))?;
    fs::write(etc.join("passwd"), passwd)?;
    let group = accounts::system_only(&fs::read_to_string("/etc/group")?);
    fs::write(etc.join("group"), group)?;
    let login_defs = fs::read_to_string("/etc/login.defs").unwrap_or_default();
    fs::write(etc.join("login.defs"), accounts::login_defs(&login_defs))?;
    fs::write(
        etc.join("nsswitch.conf"),
        "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    )?;
    fs::write(etc.join("ssh/principals/root"), "berth-agent\n")?;
    run(Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(etc.join(HOST_KEY)))
    .await
}

/// The inventory that the stand-in `nvidia-smi` prints. UUIDs are drawn once a GPU and kept.
fn inventory(directory: &Path, request: &NodeRequest) -> anyhow::Result<String> {
    let path = directory.join("gpu-uuids");
    let mut uuids: Vec<String> = fs::read_to_string(&path)
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect();
    let count = usize::try_from(request.gpus)?;
    while uuids.len() < count {
        uuids.push(fresh_gpu_uuid());
    }
    fs::write(&path, uuids.join("\n") + "\n")?;
    let lines = uuids.iter().take(count).enumerate().map(|(index, uuid)| {
        format!(
            "{index},{uuid},{},{},{}\n",
            request.gpu_model, request.driver_version, request.gpu_memory_mib
        )
    });
    Ok(lines.collect())
}

/// As the driver prints one: a random UUID behind `GPU-`.
fn fresh_gpu_uuid() -> String {
    let mut rng = rand::rng();
    let (time, node) = (rng.random::<u32>(), rng.random::<u64>() >> 16);
    let [mid, version, sequence] = rng.random::<[u16; 3]>();
    format!("GPU-{time:08x}-{mid:04x}-{version:04x}-{sequence:04x}-{node:012x}")
}

async fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.kill_on_drop(true).output().await?;
    anyhow::ensure!(
        output.status.success(),
        "{}: {}",
        command.as_std().get_program().to_string_lossy(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
