//! The same creates on PostgreSQL: a cluster of its own on the same disk, with its flushes on.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Bench;
use crate::load;
use crate::process::{self, Process, Told};
use crate::server::Server;
use crate::table::{Load, Report};

const CONNECTIONS: usize = 64;

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let Some(programs) = programs() else {
        report.notes.push(
            "PostgreSQL is not installed here (no initdb in PATH or /usr/lib/postgresql), so its row is missing"
                .to_owned(),
        );
        return Ok(());
    };
    let cluster = Cluster::start(&programs, &bench.place("cluster"))?;
    let server = Server::start(
        &bench.place("postgres"),
        &[("DATABASE", cluster.url.as_str())],
    )?;
    let before = process::cpu_time_of_family(cluster.process.id())?;
    let measured = load::run(
        server.address(),
        server.id(),
        CONNECTIONS,
        &[server.create_task()],
        bench.pace,
    )?;
    let spent = process::cpu_time_of_family(cluster.process.id())?.saturating_sub(before);
    // The warm-up's work is in `spent` too, so it is shared out over both.
    let both = bench.pace.measured + bench.pace.warm_up;
    let each = spent.as_secs_f64() * 1000.0 / (measured.rate * both.as_secs_f64());
    report.notes.push(format!(
        "PostgreSQL's own processes took about {each:.3} ms of CPU for each create"
    ));
    let name = format!("task create on PostgreSQL (fsync on), {CONNECTIONS} connections");
    report.loads.push(Load::new(name, measured));
    Ok(())
}

/// A cluster that ends with its value.
struct Cluster {
    process: Process,
    url: String,
}

impl Cluster {
    fn start(programs: &Path, directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        fs::set_permissions(directory, Permissions::from_mode(0o700))?;
        let owner = owner()?;
        if let Some((user, group)) = owner {
            chown(directory, Some(user), Some(group))?;
        }
        let command = |name: &str| {
            let mut command = Command::new(programs.join(name));
            command.current_dir(directory);
            if let Some((user, group)) = owner {
                command.uid(user).gid(group);
            }
            command.arg("-D").arg(directory.join("data"));
            command
        };
        let made = command("initdb")
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"])
            .output()?;
        if !made.status.success() {
            bail!("initdb: {}", String::from_utf8_lossy(&made.stderr));
        }
        // Free a moment ago, which is the best that can be known.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut postgres = command("postgres");
        postgres
            .args(["-p", &port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories="])
            .args(["-c", "fsync=on", "-c", "synchronous_commit=on"]);
        let log = directory.with_extension("log");
        let (process, _) = Process::start(postgres, &log, Told::Errors, "ready to accept")?;
        Ok(Self {
            process,
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        })
    }
}

/// Where PostgreSQL's programs are: the newest of Debian's, else those in the usual places.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    found.sort();
    found.insert(0, PathBuf::from("/usr/bin"));
    found.insert(0, PathBuf::from("/usr/local/bin"));
    found
        .into_iter()
        .rfind(|directory| directory.join("initdb").exists())
}

/// Who the cluster runs as: PostgreSQL refuses to be root. `None`: whoever we are.
fn owner() -> Result<Option<(u32, u32)>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .map(Some)
        .context("there is no user to run PostgreSQL as")
}
