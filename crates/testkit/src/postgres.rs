//! A real PostgreSQL for tests: one throw-away cluster, shared by every test process of a run.
//!
//! The first process that needs it makes and starts it. Every process holds a shared lock on a
//! file while it lives, and a small watchdog ends the cluster once nobody has held that lock for a
//! while; so nothing is left behind, however the tests end.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot have its database fails"
)]

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Ends the cluster in `$1` with the programs in `$2` once the lock on `$1/users` has been free for
/// ten looks in a row, a second apart. `$3` is the user to run as, or empty. It holds the gate `$4`
/// while it does so: nobody can join a cluster that is being ended.
const WATCHDOG: &str = r#"
exec 9>>"$4"
free=0
while :; do
    sleep 1
    if flock --exclusive --nonblock "$1/users" true; then free=$((free + 1)); else free=0; fi
    if [ "$free" -ge 10 ]; then
        flock --exclusive 9
        if flock --exclusive --nonblock "$1/users" true; then break; fi
        flock --unlock 9
        free=0
    fi
done
if [ -n "$3" ]; then
    runuser -u "$3" -- "$2/pg_ctl" -D "$1/data" -m immediate stop
else
    "$2/pg_ctl" -D "$1/data" -m immediate stop
fi
rm -rf "$1"
"#;

/// A database of a test's own, dropped with this value.
pub struct TestDatabase {
    url: String,
    name: String,
}

/// Makes an empty database, starting the cluster if this is the first.
///
/// # Panics
/// Where PostgreSQL is not installed: these tests are never skipped.
#[must_use]
pub fn database() -> TestDatabase {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let cluster = cluster();
    let name = format!(
        "test_{}_{}",
        std::process::id(),
        MADE.fetch_add(1, Ordering::Relaxed)
    );
    cluster.sql(&format!("CREATE DATABASE {name}"));
    TestDatabase {
        url: cluster.url(&name),
        name,
    }
}

impl TestDatabase {
    /// A connection URL over the cluster's socket.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        cluster().sql(&format!(
            "DROP DATABASE IF EXISTS {} WITH (FORCE)",
            self.name
        ));
    }
}

struct Cluster {
    directory: PathBuf,
    programs: PathBuf,
    /// Held, shared, as long as this process lives.
    _user: File,
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::join)
}

impl Cluster {
    /// Joins the cluster of this run, or starts it.
    fn join() -> Self {
        let programs = programs();
        let directory = std::env::temp_dir().join(format!("stationmaster-postgres-{}", user_id()));
        // One process at a time decides whether the cluster must be started.
        let gate = open(&directory.with_extension("gate"));
        gate.lock().expect("the lock that starts the cluster");
        if !directory.join("ready").exists() || !answers(&directory, &programs) {
            start(&directory, &programs);
        }
        let user = open(&directory.join("users"));
        user.lock_shared().expect("the lock that keeps the cluster");
        Self {
            directory,
            programs,
            _user: user,
        }
    }

    fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@localhost/{database}?host={}",
            self.directory.display()
        )
    }

    fn sql(&self, statement: &str) {
        let output = psql(&self.directory, &self.programs, statement);
        assert!(
            output.status.success(),
            "{statement}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn psql(directory: &Path, programs: &Path, statement: &str) -> std::process::Output {
    Command::new(programs.join("psql"))
        .args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
            "-d",
            "postgres",
            "-h",
        ])
        .arg(directory)
        .args(["-c", statement])
        .stdin(Stdio::null())
        .output()
        .expect("psql runs")
}

fn answers(directory: &Path, programs: &Path) -> bool {
    psql(directory, programs, "SELECT 1").status.success()
}

fn start(directory: &Path, programs: &Path) {
    // What an earlier run left behind, if it was cut off together with its watchdog.
    let _ = run(as_owner(programs, "pg_ctl")
        .args(["-m", "immediate", "stop", "-D"])
        .arg(directory.join("data")));
    let _ = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).expect("a directory for the cluster");
    // The server runs as another user where the tests run as root.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).expect("an open directory");
    drop(open(&directory.join("users")));
    let made = run(as_owner(programs, "initdb")
        .args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "-D",
        ])
        .arg(directory.join("data")));
    assert!(made, "initdb failed");
    let options = format!(
        "-k {} -c listen_addresses= -c fsync=off -c full_page_writes=off -c shared_buffers=64MB \
         -c max_connections=200",
        directory.display()
    );
    let started = run(as_owner(programs, "pg_ctl")
        .args(["start", "-w", "-D"])
        .arg(directory.join("data"))
        .arg("-l")
        .arg(directory.join("log"))
        .args(["-o", &options]));
    assert!(
        started,
        "the cluster did not start; see {}",
        directory.join("log").display()
    );
    fs::write(directory.join("ready"), "").expect("a mark that the cluster is ready");
    #[expect(clippy::zombie_processes, reason = "it outlives the tests on purpose")]
    let _watchdog = Command::new("setsid")
        .args(["sh", "-c", WATCHDOG, "watchdog"])
        .arg(directory)
        .arg(programs)
        .arg(if user_id() == 0 { "postgres" } else { "" })
        .arg(directory.with_extension("gate"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the cluster's watchdog starts");
}

/// One of PostgreSQL's programs, as a user that is not root: it refuses root.
fn as_owner(programs: &Path, program: &str) -> Command {
    if user_id() != 0 {
        return Command::new(programs.join(program));
    }
    let mut command = Command::new("runuser");
    command
        .args(["-u", "postgres", "--"])
        .arg(programs.join(program))
        .current_dir("/");
    command
}

fn run(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn open(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("a lock file")
}

/// Where Debian keeps PostgreSQL's programs: the newest version there is.
fn programs() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, programs)| programs.join("initdb").exists())
        .collect();
    versions.sort();
    versions
        .pop()
        .map(|(_, programs)| programs)
        .expect("PostgreSQL is installed (Debian's package postgresql)")
}

fn user_id() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self")
        .expect("a process directory")
        .uid()
}
