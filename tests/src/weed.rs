//! A real S3 server (`SeaweedFS`) with one bucket, for one test.

use std::process::Stdio;
use std::time::Duration;

use domain::object_path::{Namespace, ObjectKey};
use platform::objects::Objects;
use platform::settings::{ObjectSettings, S3Settings};
use tokio::process::{Child, Command};

use crate::stack::workspace;
use crate::wait::eventually;

const LIMIT: Duration = Duration::from_mins(1);
const BUCKET: &str = "archive";

/// What it takes when it is to be full: one megabyte, more or less.
const LITTLE: [&str; 2] = ["-volume.max=1", "-master.volumeSizeLimitMB=1"];
/// Pieces of that, and how many do not fit.
const PIECE_BYTES: usize = 400_000;
const PIECES: usize = 500;

/// Ends with its value, and all that it holds with it.
#[derive(Debug)]
pub struct Weed {
    port: u16,
    _dir: tempfile::TempDir,
    _child: Child,
}

impl Weed {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// One that takes no more.
    pub async fn full() -> Self {
        let weed = Self::with(&LITTLE).await;
        let objects = Objects::open(&weed.settings(None)).expect("a bucket");
        // It learns by and by how much it has.
        for number in 0..PIECES {
            let key = ObjectKey {
                namespace: Namespace::AuditHeads,
                path: number.to_string().parse().expect("a path"),
            };
            let piece = vec![7; PIECE_BYTES];
            if objects.put_bytes(&key, &piece).await.is_err() {
                return weed;
            }
        }
        panic!("{PIECES} pieces of {PIECE_BYTES} bytes do not fill it");
    }

    async fn with(limits: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let ports: Vec<u16> = std::iter::repeat_with(free_port).take(5).collect();
        let log = std::fs::File::create(dir.path().join("log")).expect("a log file");
        let child = Command::new(workspace().join(".dev/venv/bin/weed"))
            .arg("mini")
            .arg(format!("-dir={}", dir.path().display()))
            .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
            .arg(format!("-s3.port={}", ports[0]))
            .arg(format!("-master.port={}", ports[1]))
            .arg(format!("-filer.port={}", ports[2]))
            .arg(format!("-volume.port={}", ports[3]))
            .arg(format!("-admin.port={}", ports[4]))
            .args(["-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"])
            .args(["-master.telemetry=false", "-admin.ui=false"])
            .arg(format!("-bucket={BUCKET}"))
            .args(limits)
            .env("AWS_ACCESS_KEY_ID", "tests")
            .env("AWS_SECRET_ACCESS_KEY", "a secret of the tests")
            .env("HOME", dir.path())
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("weed starts; scripts/setup.sh installs it");
        let weed = Self {
            port: ports[0],
            _dir: dir,
            _child: child,
        };
        let objects = Objects::open(&weed.settings(None)).expect("a bucket");
        eventually("the S3 server serves its bucket", LIMIT, || async {
            objects.last(Namespace::Archives).await.ok()
        })
        .await;
        weed
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// As Berth would be set up for it, with any secret.
    pub fn settings(&self, secret: Option<&str>) -> ObjectSettings {
        ObjectSettings::S3(Box::new(S3Settings {
            bucket: BUCKET.to_owned(),
            endpoint: Some(self.address().parse().expect("a URL")),
            region: "us-east-1".to_owned(),
            access_key_id: "tests".to_owned(),
            secret_access_key: secret.unwrap_or("a secret of the tests").into(),
        }))
    }
}

/// One whose neighbour ten thousand above, which the server takes too, is free as well.
fn free_port() -> u16 {
    let above = |port: u16| port.checked_add(10_000);
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    loop {
        let address = crate::replica::free_address();
        let (_, port) = address.rsplit_once(':').expect("host:port");
        let port: u16 = port.parse().expect("a port");
        if above(port).is_some_and(free) {
            return port;
        }
    }
}
