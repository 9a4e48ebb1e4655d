//! A real PostgreSQL for tests: one throw-away cluster, shared by every test process of a run.
//!
//! The first process that needs it makes and starts it. Every process holds a shared lock on the
//! file `users` while it lives, and a small watchdog ends the cluster and removes its directory
//! once nobody has held that lock for a while; so nothing is left behind, however the tests end.
//! Who joins, starts or ends the cluster holds the gate meanwhile.
//!
//! The cluster belongs to a user that is not root (PostgreSQL refuses root), listens on a socket in
//! its own directory, and nobody else on the machine can reach that directory. It keeps nothing
//! safe on disk: it is made to be thrown away.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot have its database fails"
)]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// Ends the cluster in the directory `$1` with the command that follows `$2`, once nobody has used
/// it at ten looks in a row, a second apart. It holds the gate `$2` while it does so: nobody can
/// join a cluster that is being ended. It stays in the directory it was started for, so it goes
/// away, too, when that is removed and another takes its name.
const WATCHDOG: &str = r#"
cd -- "$1" || exit
directory=$1 gate=$2
shift 2
free=0
while [ -e users ]; do
    sleep 1
    if flock --nonblock users true; then free=$((free + 1)); else free=0; fi
    if [ "$free" -ge 10 ]; then
        exec 9>>"$gate"
        flock 9
        if [ -e users ] && flock --nonblock users true; then
            "$@"
            rm -rf -- "$directory" "$gate"
            exit
        fi
        exec 9>&-
        free=0
    fi
done
"#;

/// Who owns the cluster when the tests run as root.
const OWNER: &str = "postgres";

/// What a cluster that is thrown away can do without, and what many tests at once need.
const SETTINGS: &str = "listen_addresses = ''
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 64MB
max_connections = 200
";

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
    let cluster = cluster();
    // A process's number alone comes again, here or in another container that shares the cluster.
    let name = format!("test_{:016x}", RandomState::new().build_hasher().finish());
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

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The socket of the server.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        cluster().directory.join(".s.PGSQL.5432")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let dropped = cluster().try_sql(&format!(
            "DROP DATABASE IF EXISTS {} WITH (FORCE)",
            self.name
        ));
        // A second panic would hide why the test fails.
        assert!(
            dropped.status.success() || std::thread::panicking(),
            "dropping {}: {}",
            self.name,
            String::from_utf8_lossy(&dropped.stderr)
        );
    }
}

struct Cluster {
    directory: PathBuf,
    /// Where PostgreSQL's programs are; empty where they are found by `PATH`.
    programs: PathBuf,
    /// Held, shared, as long as this process lives.
    users: Option<File>,
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::join)
}

impl Cluster {
    /// Joins the cluster of this workspace, or starts it.
    fn join() -> Self {
        let mut cluster = Self {
            directory: directory(),
            programs: programs(),
            users: None,
        };
        let gate = cluster.directory.with_extension("gate");
        let _gate = pass(&gate);
        if !cluster.answers() {
            cluster.clear();
            cluster.start();
        }
        cluster.watch(&gate);
        let users = open(&cluster.directory.join("users"));
        users
            .lock_shared()
            .expect("the lock that keeps the cluster");
        cluster.users = Some(users);
        cluster
    }

    fn answers(&self) -> bool {
        let asked = Command::new(self.programs.join("pg_isready"))
            .args(["-q", "-h"])
            .arg(&self.directory)
            .status();
        asked.is_ok_and(|status| status.success())
    }

    /// Removes what an earlier run left behind that was cut off together with its watchdog.
    fn clear(&self) {
        let data = self.directory.join("data");
        // The number may be another process's by now; the server's own works in its data directory.
        let is_server = |id: &str| {
            fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|directory| directory == data)
        };
        let noted = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        if noted.lines().next().is_some_and(is_server) {
            // If it cannot be stopped, starting another one fails and says why.
            let _ = self.end().output();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }

    fn start(&self) {
        let data = self.directory.join("data");
        // For its owner alone: the server trusts whoever reaches its socket.
        DirBuilder::new()
            .mode(0o700)
            .create(&self.directory)
            .unwrap_or_else(|error| panic!("making {}: {error}", self.directory.display()));
        if user_id() == 0 {
            succeed(Command::new("chown").arg(OWNER).arg(&self.directory));
        }
        drop(open(&self.directory.join("users")));
        succeed(
            self.owners("initdb")
                .args(["--no-sync", "--auth=trust", "--username=postgres"])
                .args(["--encoding=UTF8", "--locale=C", "-D"])
                .arg(&data),
        );
        let socket = self.directory.display().to_string().replace('\'', "''");
        let settings = format!("{SETTINGS}unix_socket_directories = '{socket}'\n");
        let file = data.join("postgresql.conf");
        let mut text = fs::read_to_string(&file).expect("the cluster's settings");
        text.push_str(&settings);
        fs::write(&file, text).expect("the cluster's settings are written");
        succeed(
            self.owners("pg_ctl")
                .args(["start", "--silent", "-w", "-l"])
                .arg(self.directory.join("log"))
                .arg("-D")
                .arg(&data),
        );
    }

    /// Sees to it that a watchdog is there. It holds the lock on its file as long as it lives.
    fn watch(&self, gate: &Path) {
        let watched = open(&self.directory.join("watchdog"));
        if watched.try_lock().is_err() {
            return;
        }
        let end = self.end();
        #[expect(clippy::zombie_processes, reason = "it outlives the tests on purpose")]
        let _watchdog = Command::new("setsid")
            .args(["sh", "-c", WATCHDOG, "watchdog"])
            .arg(&self.directory)
            .arg(gate)
            .arg(end.get_program())
            .args(end.get_args())
            .current_dir("/")
            .stdin(watched)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the cluster's watchdog starts");
    }

    /// The command that ends the server.
    fn end(&self) -> Command {
        let mut command = self.owners("pg_ctl");
        command
            .args(["stop", "--silent", "-m", "immediate", "-D"])
            .arg(self.directory.join("data"));
        command
    }

    /// One of PostgreSQL's programs, run by the cluster's owner.
    fn owners(&self, program: &str) -> Command {
        as_owner(self.programs.join(program))
    }

    fn url(&self, database: &str) -> String {
        url(&self.directory, database)
    }

    fn sql(&self, statement: &str) {
        let output = self.try_sql(statement);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statement}: {said}");
    }

    fn try_sql(&self, statement: &str) -> Output {
        Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres"])
            .args(["-d", "postgres", "-c", statement, "-h"])
            .arg(&self.directory)
            .stdin(Stdio::null())
            .output()
            .expect("psql runs")
    }
}

/// The URL of a database whose server has its socket in `directory`.
///
/// The directory stands as the host: with `localhost` there, and the directory as a parameter, a
/// PostgreSQL of the developer's own would be asked first.
#[must_use]
pub fn url(directory: &Path, database: &str) -> String {
    let bytes = directory.as_os_str().as_encoded_bytes();
    let host: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
    format!("postgres://postgres@{host}/{database}")
}

/// A command run by a user that is not root.
fn as_owner(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if user_id() != 0 {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", OWNER, "--"]).arg(program);
    // Where the tests run, the other user may not even look.
    command.current_dir("/");
    command
}

/// Runs a command whose failure the test should show. What it starts keeps none of our pipes open.
fn succeed(command: &mut Command) {
    let said = tempfile::tempfile().expect("a temporary file");
    let both = said.try_clone().expect("a second handle");
    let status = command
        .stdin(Stdio::null())
        .stdout(both)
        .stderr(said.try_clone().expect("a third handle"))
        .status();
    if status.as_ref().is_ok_and(std::process::ExitStatus::success) {
        return;
    }
    let mut text = String::new();
    let mut said = said;
    let _ = std::io::Seek::rewind(&mut said)
        .and_then(|()| std::io::Read::read_to_string(&mut said, &mut text));
    panic!("{command:?}: {status:?}\n{text}");
}

/// Waits until no other process joins, starts or ends the cluster; the file is held open for as
/// long as nobody else may.
fn pass(gate: &Path) -> File {
    loop {
        let file = open(gate);
        file.lock().expect("the gate");
        // Whoever ends the cluster removes the gate too; then the one we waited for is no more.
        let here = fs::metadata(gate).map(|at| at.ino()).ok();
        if here == file.metadata().map(|ours| ours.ino()).ok() {
            return file;
        }
    }
}

fn open(path: &Path) -> File {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.unwrap_or_else(|error| panic!("opening {}: {error}", path.display()))
}

/// The cluster of this user and this workspace.
fn directory() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_MANIFEST_DIR").hash(&mut hasher);
    let workspace = hasher.finish() as u32;
    let name = format!("stationmaster-postgres-{}-{workspace:08x}", user_id());
    let directory = std::env::temp_dir().join(&name);
    // A socket's path has its limit, and a temporary directory may be deep.
    if directory.as_os_str().len() > 80 {
        return Path::new("/tmp").join(name);
    }
    directory
}

/// Where Debian keeps PostgreSQL's programs, the newest version there is; else wherever `PATH` has
/// them.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = versions
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry)))
        .map(|(version, entry)| (version, entry.path().join("bin")))
        .filter(|(_, programs)| programs.join("initdb").exists())
        .max();
    if let Some((_, programs)) = newest {
        return programs;
    }
    let by_path = Command::new("initdb").arg("--version").output();
    assert!(
        by_path.is_ok(),
        "these tests need PostgreSQL: install Debian's package postgresql"
    );
    PathBuf::new()
}

fn user_id() -> u32 {
    fs::metadata("/proc/self")
        .expect("a process directory")
        .uid()
}
