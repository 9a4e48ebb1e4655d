//! Serving connections, with a bound on everything a peer could draw out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::{Router, middleware};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body;

/// How long a peer may take to send a request's head.
const HEAD: Duration = Duration::from_secs(30);
/// How long a peer may take nothing of what it is sent before it is cut.
const STALL: Duration = Duration::from_secs(30);
/// How long connections may finish what they are at when the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// How many connections one listener holds.
const CONNECTIONS: usize = 16_384;

/// Serves until `stopping`, then lets open requests finish.
pub async fn serve(listener: TcpListener, router: Router, stopping: CancellationToken) {
    let router = router.layer(middleware::from_fn(body::drain));
    let connections = TaskTracker::new();
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, stopping) = (router.clone(), stopping.clone());
                connections.spawn(async move {
                    connection(stream, router, stopping).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: some will come back.
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    // Who comes now is refused at once instead of waiting for nobody.
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            open = connections.len(),
            "some connections did not finish in time"
        );
    }
}

async fn connection(stream: TcpStream, router: Router, stopping: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY failed");
    }
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD);
    let io = TokioIo::new(Impatient::new(stream, STALL));
    let serving = builder.serve_connection_with_upgrades(io, TowerToHyperService::new(router));
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stopping.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended early");
    }
}

/// A stream whose peer must take something of what it is sent within `patience`.
struct Impatient<T> {
    stream: T,
    patience: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Runs until the first bytes are there: what the server behind this has no limit for.
    greeting: Option<Pin<Box<Sleep>>>,
    /// How many bytes came so far, while `greeting` runs.
    greeted: usize,
}

/// As many bytes as tell one version of HTTP from the other.
const GREETING: usize = 24;

impl<T> Impatient<T> {
    fn new(stream: T, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            waiting: None,
            greeting: Some(Box::pin(tokio::time::sleep(HEAD))),
            greeted: 0,
        }
    }

    /// Passes on what a write came to; one that waits too long becomes an error.
    fn limit<R>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if outcome.is_ready() {
            self.waiting = None;
            return outcome;
        }
        let patience = self.patience;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + patience)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer takes nothing",
        )))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Impatient<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buf);
        if let Some(greeting) = &mut this.greeting {
            this.greeted += buf.filled().len() - before;
            if this.greeted >= GREETING {
                this.greeting = None;
            } else if outcome.is_pending() && greeting.as_mut().poll(cx).is_ready() {
                let late = io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the peer does not say what it wants",
                );
                return Poll::Ready(Err(late));
            }
        }
        outcome
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Impatient<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, data);
        this.limit(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, data);
        this.limit(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_flush(cx);
        this.limit(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_cut() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let mut stream = Impatient::new(ours, STALL);
        let outcome = stream.write_all(&[0; 64]).await;
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_is_cut() {
        use tokio::io::AsyncReadExt as _;
        for said in ["", "P"] {
            let (ours, mut theirs) = tokio::io::duplex(64);
            theirs.write_all(said.as_bytes()).await.unwrap();
            let mut heard = Vec::new();
            let outcome = Impatient::new(ours, STALL).read_to_end(&mut heard).await;
            assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_little_now_and_then_is_kept() {
        use tokio::io::AsyncReadExt as _;
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut stream = Impatient::new(ours, STALL);
        let reader = async {
            let mut buffer = [0; 16];
            for _ in 0..4 {
                tokio::time::sleep(STALL / 2).await;
                theirs.read_exact(&mut buffer).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(stream.write_all(&[0; 64]), reader);
        written.unwrap();
    }
}
