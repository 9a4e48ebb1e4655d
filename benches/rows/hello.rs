//! What HTTP alone costs: the same framework, the same way of accepting, and nothing behind it.

use std::process::Command;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use stationmaster_http::server;
use tokio_util::sync::CancellationToken;

use super::Bench;
use crate::load::{self, Request};
use crate::server::start;
use crate::table::{Load, Report};

const CONNECTIONS: usize = 64;

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--serve-hello").env_clear();
    let (process, address) = start(command, bench.directory())?;
    let request = Request::get("/", &[]);
    let measured = load::run(address, process.id(), CONNECTIONS, &[request], bench.pace)?;
    let name = format!("HTTP hello world, {CONNECTIONS} connections");
    report.loads.push(Load::new(name, measured));
    Ok(())
}

/// Is the server, in a process of its own, until it is ended.
#[expect(
    clippy::print_stdout,
    reason = "whoever started it learns the address so"
)]
#[expect(
    clippy::disallowed_methods,
    reason = "this route belongs in no document"
)]
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}", listener.local_addr()?);
        let router = Router::new().route("/", get(async || "hello, world"));
        server::serve(listener, router, CancellationToken::new()).await;
        Ok(())
    })
}
