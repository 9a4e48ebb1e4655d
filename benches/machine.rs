//! What the figures were taken on.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

/// How many flushes are timed.
const FLUSHES: usize = 200;

/// Processor, kernel, file system, commit and date, a line each.
pub(crate) fn describe(directory: &Path) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split_whitespace().next().unwrap_or("unknown");
    Ok(format!(
        "processor   {}, {cores} cores (load average {load} at the start)\n\
         kernel      Linux {}\n\
         file system {}\n\
         flush       {:.2} ms for 4 KiB and fdatasync (median of {FLUSHES})\n\
         commit      {}\n\
         date        {}",
        processor()?,
        kernel.trim(),
        file_system(directory)?,
        flush_ms(directory)?,
        commit(),
        jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"),
    ))
}

fn processor() -> Result<String> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, name)| name);
    Ok(model.to_owned())
}

/// The file system that the directory is on: a disk that is none makes every commit look cheap.
fn file_system(directory: &Path) -> Result<String> {
    let directory = fs::canonicalize(directory).context("finding the directory of the data")?;
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let mount = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            Some((fields.next()?, fields.next()?, fields.next()?))
        })
        .filter(|(_, point, _)| directory.starts_with(point))
        .max_by_key(|(_, point, _)| point.len());
    Ok(match mount {
        Some((device, point, kind @ ("tmpfs" | "ramfs" | "overlay"))) => {
            format!("{kind} ({device} on {point}): NOT A DISK, so commits cost nothing here")
        }
        Some((device, point, kind)) => format!("{kind} ({device} on {point})"),
        None => "unknown".to_owned(),
    })
}

/// How long the disk takes for what every commit waits for: an append that is on disk.
fn flush_ms(directory: &Path) -> Result<f64> {
    let path = directory.join("flush");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        let began = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    fs::remove_file(path)?;
    times.sort_by(f64::total_cmp);
    Ok(times.get(FLUSHES / 2).copied().unwrap_or(f64::NAN))
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    match git(&["status", "--porcelain"]) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit} with uncommitted changes"),
    }
}
