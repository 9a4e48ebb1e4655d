//! Child processes, and what the kernel says of their time and memory.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Ticks of `/proc/<pid>/stat` in a second; Linux shows 100 to programs whatever it counts in.
const TICKS: u64 = 100;
/// How long a process may take to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which output of a process says that it is ready.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told {
    Output,
    Errors,
}

/// A running process; it is stopped when dropped.
pub(crate) struct Process {
    child: Child,
    /// Kept open: a process whose output nobody holds may end.
    _output: Box<dyn Read>,
}

impl Process {
    /// Starts a process and waits for a line with `text`, which is given back. Its other output
    /// goes to the file `log`.
    pub(crate) fn start(
        mut command: Command,
        log: &Path,
        told: Told,
        text: &str,
    ) -> Result<(Self, String)> {
        let file = File::create(log).with_context(|| format!("making {}", log.display()))?;
        command.stdin(Stdio::null());
        match told {
            Told::Output => command.stdout(Stdio::piped()).stderr(file),
            Told::Errors => command.stderr(Stdio::piped()).stdout(file),
        };
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        let pipe: Box<dyn Read> = match (child.stdout.take(), child.stderr.take()) {
            (Some(output), _) => Box::new(output),
            (None, Some(errors)) => Box::new(errors),
            (None, None) => bail!("the process has no output"),
        };
        let mut output = BufReader::new(pipe);
        let mut seen = String::new();
        let found = loop {
            let mut line = String::new();
            if output.read_line(&mut line)? == 0 {
                let status = child.wait()?;
                let log = fs::read_to_string(log).unwrap_or_default();
                bail!("the process ended ({status}): {seen}{log}");
            }
            if line.contains(text) {
                break line;
            }
            seen.push_str(&line);
        };
        let process = Self {
            child,
            _output: Box::new(output),
        };
        Ok((process, found))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = self.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        let deadline = Instant::now() + PATIENCE;
        while told.is_ok() && Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Nothing more can be done for one that does not even die.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// User and system time of a process so far, all its threads together.
pub(crate) fn cpu_time(process: u32) -> Result<Duration> {
    let stat = read(&format!("/proc/{process}/stat"))?;
    let fields = stat_fields(&stat);
    let ticks = |index: usize| -> Result<u64> {
        let text = fields.get(index).context("a short stat line")?;
        Ok(text.parse()?)
    };
    // Fields 14 and 15 of the line; these begin with its third.
    Ok(Duration::from_millis(
        (ticks(11)? + ticks(12)?) * 1000 / TICKS,
    ))
}

/// The same of a process and its children that live.
pub(crate) fn cpu_time_of_family(parent: u32) -> Result<Duration> {
    let mut total = cpu_time(parent)?;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that ends while it is looked at is left out.
        let stat = read(&format!("/proc/{id}/stat")).unwrap_or_default();
        if stat_fields(&stat).get(1) == Some(&parent.to_string().as_str()) {
            total += cpu_time(id).unwrap_or_default();
        }
    }
    Ok(total)
}

/// The fields after the program's name, which may hold anything.
fn stat_fields(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect())
        .unwrap_or_default()
}

/// The time that all processors of the machine were not idle.
pub(crate) fn machine_time() -> Result<Duration> {
    let stat = read("/proc/stat")?;
    let line = stat.lines().next().context("an empty /proc/stat")?;
    // user, nice, system, idle, iowait, irq, softirq, …
    let ticks: u64 = line
        .split_whitespace()
        .skip(1)
        .take(7)
        .enumerate()
        .filter(|(index, _)| ![3, 4].contains(index))
        .filter_map(|(_, text)| text.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// What a process holds in memory, in MiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub resident: f64,
    /// Its own, backed by no file.
    pub anonymous: f64,
    /// With shared pages divided among those who share them.
    pub proportional: f64,
}

impl Memory {
    pub(crate) fn of(process: u32) -> Result<Self> {
        let status = read(&format!("/proc/{process}/status"))?;
        let rollup = read(&format!("/proc/{process}/smaps_rollup"))?;
        Ok(Self {
            resident: mebibytes(&status, "VmRSS:")?,
            anonymous: mebibytes(&status, "RssAnon:")?,
            proportional: mebibytes(&rollup, "Pss:")?,
        })
    }
}

fn mebibytes(text: &str, name: &str) -> Result<f64> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .with_context(|| format!("no {name}"))?;
    let kibibytes: f64 = value.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes / 1024.0)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {path}"))
}
