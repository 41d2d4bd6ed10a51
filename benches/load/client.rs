//! One connection of the load: HTTP/1.1 kept alive on a blocking socket. No library, because its cost would be counted
//! against the server that shares the processors.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::str;
use std::time::Duration;

/// Longer than any answer takes, also behind a full lane on a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(30);
const HEAD_BYTES_MAX: usize = 16_384;

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer; the body is what it says only while the connection is not used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// `X-Operation-Id`.
    pub operation: Option<String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(HEAD_BYTES_MAX),
        })
    }

    /// Sends a request and waits for its whole answer. After an error the connection is of no use any more, and whether
    /// the server took the request is unknown.
    pub fn call(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let head_end = self.read_head()?;
        let head = str::from_utf8(&self.buffer[..head_end]).map_err(io::Error::other)?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.ok_or_else(|| malformed("no status"))?;
        let (mut length, mut operation) = (None, None);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok();
            } else if name.eq_ignore_ascii_case("x-operation-id") {
                operation = Some(value.to_owned());
            }
        }
        let length: usize = length.ok_or_else(|| malformed("no content-length"))?;
        while self.buffer.len() < head_end + length {
            self.read_more()?;
        }
        let body = self.buffer[head_end..head_end + length].to_vec();
        Ok(Answer {
            status,
            operation,
            body,
        })
    }

    /// The length of the head with the empty line after it.
    fn read_head(&mut self) -> io::Result<usize> {
        let mut looked = 0;
        loop {
            let from = looked.min(self.buffer.len());
            if let Some(found) = self.buffer[from..].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                return Ok(from + found + 4);
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(malformed("a head without an end"));
            }
            looked = self.buffer.len().saturating_sub(3);
            self.read_more()?;
        }
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 8_192];
        match self.stream.read(&mut chunk)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.buffer.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
