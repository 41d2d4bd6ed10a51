//! Somebody who is told by webhooks: a plain HTTP server that notes what it gets and answers as a test wants.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a receiver answers.
#[derive(Clone, Debug)]
pub enum Reply {
    Status(u16),
    /// 302 to there.
    Redirect(String),
    /// Takes the request and says nothing.
    Silence,
    /// A status, and a body that does not end.
    Endless(u16),
}

#[derive(Clone, Debug)]
pub struct Received {
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub struct Receiver {
    pub port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    reply: Arc<Mutex<Reply>>,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            port: listener.local_addr().unwrap().port(),
            received: Arc::default(),
            reply: Arc::new(Mutex::new(Reply::Status(200))),
        };
        let (received, reply) = (Arc::clone(&receiver.received), Arc::clone(&receiver.reply));
        // Ends with the process: nobody connects any more.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (received, reply) = (Arc::clone(&received), Arc::clone(&reply));
                std::thread::spawn(move || serve(&stream.unwrap(), &received, &reply));
            }
        });
        receiver
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?token=t0ken", self.port)
    }

    pub fn answer(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// Waits for somebody who sends on a task of its own.
    pub async fn wait_for(&self, count: usize) {
        for _ in 0..1_000 {
            if self.count() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} of {count} arrived", self.count());
    }
}

/// Requests of one connection, one after the other.
fn serve(stream: &TcpStream, received: &Mutex<Vec<Received>>, reply: &Mutex<Reply>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        received.lock().unwrap().push(request);
        let reply = reply.lock().unwrap().clone();
        let written = match reply {
            Reply::Status(status) => write(
                stream,
                &format!("HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\nsaid."),
            ),
            Reply::Redirect(to) => write(
                stream,
                &format!("HTTP/1.1 302 X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"),
            ),
            Reply::Silence => {
                // Until the other side gives up.
                let _ = reader.read(&mut [0; 1]);
                return;
            }
            Reply::Endless(status) => endless(stream, status),
        };
        if written.is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Received> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    assert!(line.starts_with("POST /hook"), "{line}");
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        let twice = headers.insert(name.to_lowercase(), value.to_owned());
        assert!(twice.is_none(), "{name} is there twice");
    }
    let length = headers["content-length"].parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received {
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}

fn write(mut stream: &TcpStream, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes())
}

fn endless(mut stream: &TcpStream, status: u16) -> std::io::Result<()> {
    write(stream, &format!("HTTP/1.1 {status} X\r\n\r\n"))?;
    loop {
        stream.write_all(&[b'x'; 4_096])?;
    }
}
