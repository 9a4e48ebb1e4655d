//! What the program costs, in tables: `cargo bench --bench stationmaster`.
//!
//! Everything is measured in one run against the release build of the real program, started as a
//! process of its own, with its data on the disk under `target/`. Beside it stand what the same
//! machine can do at best: an HTTP server that does nothing, and SQLite with one row a commit. The
//! server's CPU time per request is the figure to compare: other work on the machine slows a
//! request down several times over, and makes it dearer by up to a half, as far as we saw.
//!
//! Nothing here fails on a time. To add a row: a function in [`rows`] that gives [`table::Load`]s
//! or [`table::Standing`]s, and a line in [`rows::GROUPS`].

#![expect(clippy::print_stdout, reason = "printing tables is what it is for")]

mod connection;
mod load;
mod machine;
mod measured;
mod process;
mod rows;
mod server;
mod table;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use load::Pace;
use rows::Bench;
use table::Report;

/// As in the program, so that the bare server it is held against has it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
struct Arguments {
    /// How long each row is measured
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Half a second a row: for looking whether it runs
    #[arg(long)]
    quick: bool,
    /// Only rows of this group; may be repeated
    #[arg(long, value_name = "GROUP", value_parser = rows::names())]
    only: Vec<String>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the bare HTTP server
    #[arg(long, hide = true)]
    serve_hello: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.serve_hello {
        return rows::hello::serve();
    }
    let measured = if arguments.quick {
        Duration::from_millis(500)
    } else {
        Duration::try_from_secs_f64(arguments.seconds)?
    };
    let bench = Bench::new(Pace::of(measured))?;
    println!("{}", machine::describe(bench.directory())?);
    println!(
        "{:.1} s a row after {:.1} s of warm-up\n",
        bench.pace.measured.as_secs_f64(),
        bench.pace.warm_up.as_secs_f64()
    );
    let mut report = Report::default();
    for (name, measure) in rows::GROUPS {
        if arguments.only.is_empty() || arguments.only.iter().any(|only| only == name) {
            println!("measuring {name} ...");
            if let Err(error) = measure(&bench, &mut report) {
                report
                    .notes
                    .push(format!("{name} is incomplete: {error:#}"));
            }
        }
    }
    println!("\n{report}");
    Ok(())
}
