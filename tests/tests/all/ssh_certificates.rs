//! What Berth's SSH authority signs, judged by OpenSSH itself: a real sshd that trusts it, the
//! real client, and `ssh-keygen -L`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use domain::id::{AllocationId, UserId};
use domain::ssh_public_key::{self, PublicKey, WeakKeys};
use domain::unix_user;
use platform::kms::Keyring;
use platform::ssh::{Authority, CertificateRequest, UserCertificate};
use tests::eventually;
use time::OffsetDateTime;
use uuid::Uuid;

const LIMIT: Duration = Duration::from_secs(20);

/// An sshd of our own on a loopback port, which lets this test's account in by certificate only.
struct Sshd {
    directory: tempfile::TempDir,
    child: Child,
    port: u16,
    authority: Authority,
    key: PublicKey,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn allocation() -> AllocationId {
    AllocationId::from_uuid(Uuid::from_u128(0x1111))
}

#[expect(
    clippy::disallowed_methods,
    reason = "sshd reads this machine's clock, so the test does"
)]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

fn keygen(path: &Path) {
    let path = path.to_str().unwrap();
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path]));
}

impl Sshd {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keyring = Keyring::open_or_create(&directory.path().join("keys")).unwrap();
        let authority = Authority::open(&keyring).unwrap();
        let at = |name: &str| directory.path().join(name);
        keygen(&at("host_key"));
        keygen(&at("id"));
        let id = std::fs::read_to_string(at("id.pub")).unwrap();
        let host = std::fs::read_to_string(at("host_key.pub")).unwrap();
        let ca = authority.public_key_openssh() + "\n";
        std::fs::write(at("ca.pub"), ca).unwrap();
        std::fs::write(at("principals"), unix_user::principal(allocation()) + "\n").unwrap();
        let port = free_port();
        std::fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        std::fs::write(at("config"), config(directory.path(), port)).unwrap();
        if nix::unistd::geteuid().is_root() {
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let log = std::fs::File::create(at("log")).unwrap();
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(at("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let log = at("log");
        let sshd = Self {
            directory,
            child,
            port,
            authority,
            key: ssh_public_key::parse(&id, &WeakKeys::none()).unwrap(),
        };
        eventually("sshd listens", LIMIT, || async {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            text.contains("Server listening").then_some(())
        })
        .await;
        sshd
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn request(&self) -> CertificateRequest<'_> {
        CertificateRequest {
            public_key: &self.key,
            user: UserId::from_uuid(Uuid::from_u128(0x2222)),
            allocation: allocation(),
            request_id: "req-1",
            ttl_seconds: None,
            source_address: None,
            now: now(),
        }
    }

    fn sign(&self, request: &CertificateRequest<'_>) -> String {
        signed(&self.authority, request).openssh
    }

    /// Certificates that the authority itself would not sign, by its key.
    fn keygen_sign(&self, arguments: &[&str]) -> String {
        let public = self.at("id.pub");
        run(Command::new("ssh-keygen")
            .args(["-q", "-I", "by-hand", "-V", "-1m:+5m", "-s"])
            .arg(self.at("keys/ssh_ca"))
            .args(arguments)
            .arg(public));
        std::fs::read_to_string(self.at("id-cert.pub")).unwrap()
    }

    fn ssh(&self, certificate: &str, arguments: &[&str]) -> Output {
        let file = self.at("used-cert.pub");
        std::fs::write(&file, format!("{certificate}\n")).unwrap();
        let me = nix::unistd::User::from_uid(nix::unistd::geteuid());
        Command::new("ssh")
            .args([
                "-F",
                "none",
                "-o",
                "BatchMode=yes",
                "-o",
                "IdentitiesOnly=yes",
            ])
            .args(["-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10"])
            .arg("-o")
            .arg(format!(
                "UserKnownHostsFile={}",
                self.at("known_hosts").display()
            ))
            .arg("-o")
            .arg(format!("CertificateFile={}", file.display()))
            .arg("-i")
            .arg(self.at("id"))
            .args(["-p", &self.port.to_string()])
            .args(arguments)
            .arg(format!("{}@127.0.0.1", me.unwrap().unwrap().name))
            .arg("echo in")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn lets_in(&self, certificate: &str) -> bool {
        let output = self.ssh(certificate, &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() || said.contains("Permission denied"),
            "neither in nor refused: {said}"
        );
        output.status.success() && output.stdout == b"in\n"
    }
}

fn signed(authority: &Authority, request: &CertificateRequest<'_>) -> UserCertificate {
    authority.sign_user_certificate(request).unwrap()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn config(directory: &Path, port: u16) -> String {
    let at = |name: &str| directory.join(name).display().to_string();
    format!(
        "ListenAddress 127.0.0.1\nPort {port}\nPidFile none\nHostKey {}\nTrustedUserCAKeys {}\n\
         AuthorizedPrincipalsFile {}\nAuthorizedKeysFile none\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nUsePAM no\n\
         StrictModes no\nMaxStartups 100\n",
        at("host_key"),
        at("ca.pub"),
        at("principals"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_05_a_real_sshd_lets_in_exactly_what_was_meant() {
    let sshd = Sshd::start().await;
    let hour = time::Duration::hours(1);
    let request = sshd.request();
    assert!(sshd.lets_in(&sshd.sign(&request)), "inside its time");

    let expired = CertificateRequest {
        now: now() - hour,
        ..request
    };
    assert!(!sshd.lets_in(&sshd.sign(&expired)), "expired");
    let future = CertificateRequest {
        now: now() + hour,
        ..request
    };
    assert!(!sshd.lets_in(&sshd.sign(&future)), "not valid yet");
    let other = AllocationId::from_uuid(Uuid::from_u128(0x3333));
    let other = CertificateRequest {
        allocation: other,
        ..request
    };
    assert!(!sshd.lets_in(&sshd.sign(&other)), "another allocation's");

    let keyring = Keyring::open_or_create(&sshd.at("other-keys")).unwrap();
    let stranger = Authority::open(&keyring).unwrap();
    let strange = signed(&stranger, &request).openssh;
    assert!(!sshd.lets_in(&strange), "another authority's");

    let principal = unix_user::principal(allocation());
    let by_hand = sshd.keygen_sign(&["-n", &principal]);
    assert!(sshd.lets_in(&by_hand), "the same by ssh-keygen");
    let critical = sshd.keygen_sign(&["-n", &principal, "-O", "critical:berth-unknown=1"]);
    assert!(!sshd.lets_in(&critical), "unknown critical option");
    assert!(!sshd.lets_in(&sshd.keygen_sign(&[])), "without a principal");

    std::fs::write(sshd.at("principals"), "").unwrap();
    assert!(!sshd.lets_in(&sshd.sign(&sshd.request())), "released");
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_05_a_certificate_is_bound_to_its_address_and_forwards_nothing() {
    let sshd = Sshd::start().await;
    let from = |address: &str| CertificateRequest {
        source_address: Some(address.parse().unwrap()),
        ..sshd.request()
    };
    assert!(sshd.lets_in(&sshd.sign(&from("127.0.0.1"))));
    assert!(!sshd.lets_in(&sshd.sign(&from("203.0.113.7"))));
    let forward = format!("127.0.0.1:{}", sshd.port);
    let refused = sshd.ssh(&sshd.sign(&sshd.request()), &["-W", &forward]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("administratively prohibited"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_04_ssh_keygen_reads_what_was_signed() {
    let sshd = Sshd::start().await;
    let request = CertificateRequest {
        ttl_seconds: Some(600),
        ..sshd.request()
    };
    let certificate = signed(&sshd.authority, &request);
    let file = sshd.at("read-cert.pub");
    std::fs::write(&file, &certificate.openssh).unwrap();
    let read = run(Command::new("ssh-keygen")
        .env("TZ", "UTC")
        .arg("-L")
        .arg("-f")
        .arg(file));
    let read = String::from_utf8(read.stdout).unwrap();
    let time = |at: OffsetDateTime| {
        let form =
            time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
        at.format(form).unwrap()
    };
    let (after, before) = (certificate.valid_after, certificate.valid_before);
    assert_eq!((before - after).whole_seconds(), 660);
    for line in [
        "Type: ssh-ed25519-cert-v01@openssh.com user certificate".to_owned(),
        format!("Public key: ED25519-CERT {}", sshd.key.fingerprint_sha256),
        format!("Key ID: \"{}\"", certificate.key_id),
        format!("Serial: {}", certificate.serial),
        format!("Valid: from {} to {}", time(after), time(before)),
        format!("Principals: \n                {}\n", certificate.principal),
        "Critical Options: (none)".to_owned(),
        "Extensions: \n                permit-pty\n".to_owned(),
    ] {
        assert!(read.contains(&line), "{line}\nis not in\n{read}");
    }
    assert!(read.trim_end().ends_with("permit-pty"), "{read}");
}
