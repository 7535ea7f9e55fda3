//! PostgreSQL: cluster, roles and database.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt, chown};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use nix::unistd::User;
use sqlx::{Connection as _, PgConnection};
use tokio::process::Command;

use crate::stack::child::Spec;
use crate::stack::context::Context;
use crate::stack::log;
use crate::stack::memory::Port;

/// The account that Debian's packages make; PostgreSQL refuses to run as root.
const ACCOUNT: &str = "postgres";
const SUPERUSER: &str = "postgres";

/// Makes the cluster when there is none. A half-made one never gets the final name.
pub(in crate::stack) async fn prepare(ctx: &Context) -> anyhow::Result<()> {
    may_enter(ctx).await?;
    let data = ctx.layout.dir("postgres");
    if data.join("PG_VERSION").is_file() {
        return forget_dead_owner(&data);
    }
    let new = ctx.layout.dir("postgres.new");
    if new.exists() {
        std::fs::remove_dir_all(&new).context("cannot remove a half-made database")?;
    }
    std::fs::DirBuilder::new().mode(0o700).create(&new)?;
    give_to_postgres(ctx, &new)?;
    let mut password = tempfile::NamedTempFile::new_in(ctx.layout.root())?;
    password.write_all(ctx.memory.passwords.postgres.as_bytes())?;
    give_to_postgres(ctx, password.path())?;

    let mut initdb = as_account(ctx, &ctx.tools.postgres_bin.join("initdb"));
    initdb
        .arg("--pgdata")
        .arg(&new)
        .arg("--pwfile")
        .arg(password.path());
    initdb.args([
        "--username",
        SUPERUSER,
        "--auth",
        "scram-sha-256",
        "--encoding",
        "UTF8",
        "--locale",
        "C.UTF-8",
    ]);
    if ctx.unsafe_fast {
        initdb.arg("--no-sync");
    }
    let log = ctx.layout.log_file("postgres");
    let output = initdb.output().await.context("cannot run initdb")?;
    std::fs::File::options()
        .create(true)
        .append(true)
        .open(&log)?
        .write_all(&[output.stdout, output.stderr].concat())?;
    ensure!(
        output.status.success(),
        "initdb failed ({}): {}",
        output.status,
        log::tail(&log)
    );
    std::fs::rename(&new, &data)?;
    Ok(())
}

/// A command that runs as the account of PostgreSQL, and not longer than we do.
fn as_account(ctx: &Context, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM"]);
    if ctx.as_root {
        command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups"]);
    }
    command.arg("--").arg(program);
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Root's own folders are closed to other accounts.
async fn may_enter(ctx: &Context) -> anyhow::Result<()> {
    let root = ctx.layout.root();
    let answer = as_account(ctx, Path::new("test"))
        .arg("-x")
        .arg(root)
        .status()
        .await?;
    let root = root.display();
    ensure!(
        answer.success(),
        "PostgreSQL's account may not enter {root}: choose another --data-dir"
    );
    Ok(())
}

/// After a power cut or a SIGKILL the pid in `postmaster.pid` may be somebody else's by now, which
/// PostgreSQL takes for a running server. The stack's lock and the search for leftovers have shown
/// that none of ours is alive.
fn forget_dead_owner(data: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(data.join("postmaster.pid")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("cannot remove a stale postmaster.pid")
        }
        _ => Ok(()),
    }
}

fn give_to_postgres(ctx: &Context, path: &Path) -> anyhow::Result<()> {
    std::fs::set_permissions(
        path,
        PermissionsExt::from_mode(if path.is_dir() { 0o700 } else { 0o600 }),
    )?;
    if !ctx.as_root {
        return Ok(());
    }
    let account =
        User::from_name(ACCOUNT)?.context("there is no account postgres: run scripts/setup.sh")?;
    chown(path, Some(account.uid.as_raw()), Some(account.gid.as_raw()))
        .with_context(|| format!("cannot give {} to postgres", path.display()))
}

pub(in crate::stack) fn spec(ctx: &Context) -> Spec {
    let mut spec = Spec::new(ctx.tools.postgres_bin.join("postgres"))
        .arg("-D")
        .arg(ctx.layout.dir("postgres"))
        .args(["-p", &ctx.memory.port(Port::Postgres).to_string()])
        .args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
            "-c",
            "max_connections=200",
        ]);
    if ctx.unsafe_fast {
        spec = spec.args([
            "-c",
            "fsync=off",
            "-c",
            "synchronous_commit=off",
            "-c",
            "full_page_writes=off",
        ]);
    }
    // TERM would wait for every client to leave.
    spec.stop_signal = Signal::SIGINT;
    spec.account = ctx.as_root.then_some(ACCOUNT);
    spec
}

pub(in crate::stack) async fn probe(ctx: &Context) -> anyhow::Result<()> {
    Ok(superuser(ctx).await?.close().await?)
}

/// Roles with this stack's passwords, the database, its schema.
pub(in crate::stack) async fn furnish(ctx: &Context) -> anyhow::Result<()> {
    let passwords = &ctx.memory.passwords;
    let roles = [
        ("berth_owner", &passwords.berth_owner),
        ("berth_api", &passwords.berth_api),
        ("berth_worker", &passwords.berth_worker),
        ("berth_admin", &passwords.berth_admin),
    ];
    let mut superuser = superuser(ctx).await?;
    db::bootstrap::roles(&mut superuser)
        .await
        .context("cannot make the database roles")?;
    for (role, password) in roles {
        db::bootstrap::set_password(&mut superuser, role, password)
            .await
            .with_context(|| format!("cannot set the password of {role}"))?;
    }
    db::bootstrap::database(&mut superuser)
        .await
        .context("cannot make the database")?;
    superuser.close().await?;
    crate::role::migrate::up(
        &ctx.memory
            .database_url("berth_owner", &passwords.berth_owner),
    )
    .await?;
    Ok(())
}

async fn superuser(ctx: &Context) -> anyhow::Result<PgConnection> {
    let url = format!(
        "postgres://{SUPERUSER}:{}@{}/postgres",
        ctx.memory.passwords.postgres,
        ctx.memory.address(Port::Postgres)
    );
    Ok(PgConnection::connect(&url).await?)
}
