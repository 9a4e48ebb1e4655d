//! The real program, started for a test and stopped with it.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot have its server fails"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long the program may take to start, or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which program to test: `STATIONMASTER_BIN`, else the one that this test run built.
#[expect(clippy::disallowed_methods, reason = "names the program under test")]
pub fn program(built: &str) -> PathBuf {
    std::env::var_os("STATIONMASTER_BIN").map_or_else(|| PathBuf::from(built), PathBuf::from)
}

/// How to start a server.
pub struct ServerBuilder {
    program: PathBuf,
    command: &'static str,
    directory: Option<PathBuf>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: Option<PathBuf>,
}

impl ServerBuilder {
    /// A server of `program` with a free port, a data directory of its own and no environment but
    /// what is given here.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            command: "serve",
            directory: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            log: None,
        }
    }

    /// Writes its standard error into a file, instead of the test's own.
    #[must_use]
    pub fn log(mut self, file: &Path) -> Self {
        self.log = Some(file.to_owned());
        self
    }

    /// Another command than `serve`.
    #[must_use]
    pub fn command(mut self, command: &'static str) -> Self {
        self.command = command;
        self
    }

    /// A data directory that outlives the server, for starting it again.
    #[must_use]
    pub fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    #[must_use]
    pub fn environment(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Starts it and waits until it answers.
    pub fn start(self) -> Server {
        let own = self
            .directory
            .is_none()
            .then(|| TempDir::new().expect("a temporary directory"));
        let directory = self
            .directory
            .or_else(|| own.as_ref().map(|dir| dir.path().to_owned()))
            .expect("a directory");
        let log = self.log.map_or_else(Stdio::inherit, |file| {
            std::fs::File::create(file)
                .expect("a file to log to")
                .into()
        });
        let mut command = Command::new(&self.program);
        command
            .arg(self.command)
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&directory)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment)
            // Away from any .env of the developer's.
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().expect("the program starts");
        let lines = follow(child.stdout.take().expect("a piped standard output"));
        let mut server = Server {
            child,
            url: String::new(),
            directory,
            _own: own,
            lines,
            seen: Vec::new(),
        };
        let line = server.wait_for_line("listens on http://");
        server.url = line
            .split("listens on ")
            .nth(1)
            .expect("an address")
            .trim()
            .to_owned();
        server
    }
}

/// Sends every line of the program's output on; it is read to the end, so the program never blocks.
fn follow(output: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // The test may have lost interest.
            let _ = sender.send(line);
        }
    });
    lines
}

/// A running server; it is killed when dropped.
pub struct Server {
    child: Child,
    url: String,
    directory: PathBuf,
    _own: Option<TempDir>,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Server {
    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its data directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line of output, from now or before, that contains `text`.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        if let Some(line) = self.seen.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => panic!("no line with {text:?} ({error}); so far: {:#?}", self.seen),
            }
        }
    }

    /// Kills it as a power cut would (`kill -9`) and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("the program can be killed");
        self.child.wait().expect("the program ends");
    }

    /// Asks it to stop (SIGTERM) and gives its exit code.
    pub fn stop(&mut self) -> i32 {
        let id = self.child.id().to_string();
        let told = Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .expect("kill runs");
        assert!(told.success(), "the program was there to be told");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the program's state") {
                return status.code().unwrap_or(-1);
            }
            assert!(
                Instant::now() < deadline,
                "the program did not stop in time"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A secret that the server generated for itself, by its name in lower case.
    pub fn secret(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.directory.join("secrets.toml"))
            .expect("a file of secrets");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} = ")))
            .expect("the secret");
        line.trim_matches('"').to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
