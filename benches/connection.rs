//! HTTP/1.1 as far as a load generator needs it: one request, one answer with a length.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection that is kept alive.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A whole answer.
pub(crate) struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// Anything but a 200 is an error that tells what it was.
    pub(crate) fn expect_ok(&self) -> Result<()> {
        ensure!(
            self.status / 100 == 2,
            "status {}: {}",
            self.status,
            String::from_utf8_lossy(self.body.get(..200).unwrap_or(self.body))
        );
        Ok(())
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            address,
            stream: connect(address).await?,
            buffer: Vec::with_capacity(64 * 1024),
        })
    }

    /// In place of one that is in an unknown state.
    pub(crate) async fn reopen(&mut self) -> Result<()> {
        self.stream = connect(self.address).await?;
        Ok(())
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            if head.is_none() {
                head = Head::read(&self.buffer)?;
            }
            if let Some(Head { status, start, end }) = head
                && self.buffer.len() >= end
            {
                let body = self.buffer.get(start..end).unwrap_or_default();
                return Ok(Answer { status, body });
            }
        }
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await.context("connecting")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The head of an answer: its status, and where its body is.
#[derive(Debug, Clone, Copy)]
struct Head {
    status: u16,
    start: usize,
    end: usize,
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(length) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&bytes[..length]).context("an unreadable head")?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok())
            .context("an answer without a status")?;
        let body: usize = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse().ok())
            .context("an answer without a length")?;
        let start = length + 4;
        Ok(Some(Self {
            status,
            start,
            end: start + body,
        }))
    }
}
