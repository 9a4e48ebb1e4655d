//! A wire to PostgreSQL that a test can cut: a socket that passes on what it hears.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use stationmaster_testkit::postgres::{self, TestDatabase};
use tempfile::TempDir;

/// Stands between a store and its database. Dropping it cuts every connection.
pub(crate) struct Wire {
    directory: TempDir,
    database: String,
    state: Arc<State>,
}

struct State {
    server: PathBuf,
    up: AtomicBool,
    /// The next commit reaches the server, and its answer is lost together with the connection.
    lose_commit: AtomicBool,
    ends: Mutex<Vec<UnixStream>>,
}

impl Wire {
    pub(crate) fn to(database: &TestDatabase) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(".s.PGSQL.5432")).unwrap();
        let state = Arc::new(State {
            server: database.socket(),
            up: AtomicBool::new(true),
            lose_commit: AtomicBool::new(false),
            ends: Mutex::default(),
        });
        let accepting = state.clone();
        // It ends with the process: nobody can connect once the directory is gone.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.up.load(Ordering::SeqCst) {
                    accepting.connect(client);
                }
            }
        });
        Self {
            directory,
            database: database.name().to_owned(),
            state,
        }
    }

    pub(crate) fn url(&self) -> String {
        postgres::url(self.directory.path(), &self.database)
    }

    pub(crate) fn cutter(&self) -> Cutter {
        Cutter(self.state.clone())
    }

    pub(crate) fn lose_the_next_commits_answer(&self) {
        self.state.lose_commit.store(true, Ordering::SeqCst);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cutter().cut();
    }
}

/// Cuts and mends a wire, from inside a rule too.
pub(crate) struct Cutter(Arc<State>);

impl Cutter {
    /// Ends every connection and lets no new one through.
    pub(crate) fn cut(&self) {
        self.0.up.store(false, Ordering::SeqCst);
        for end in self.0.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn mend(&self) {
        self.0.up.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn connect(self: &Arc<Self>, client: UnixStream) {
        let server = UnixStream::connect(&self.server).unwrap();
        let both = |end: &UnixStream| end.try_clone().unwrap();
        self.ends
            .lock()
            .unwrap()
            .extend([both(&client), both(&server)]);
        let losing = Arc::new(AtomicBool::new(false));
        let (state, told) = (self.clone(), losing.clone());
        pass(both(&client), both(&server), move |bytes| {
            let commits = bytes.windows(6).any(|word| word == b"COMMIT");
            if commits && state.lose_commit.swap(false, Ordering::SeqCst) {
                told.store(true, Ordering::SeqCst);
            }
            true
        });
        pass(server, client, move |_| !losing.load(Ordering::SeqCst));
    }
}

/// Passes bytes on until either side ends or `may_pass` says no; then both sides end.
fn pass(
    mut from: UnixStream,
    mut to: UnixStream,
    mut may_pass: impl FnMut(&[u8]) -> bool + Send + 'static,
) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..length];
            if !may_pass(bytes) || to.write_all(bytes).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
