//! One HTTP exchange with a server on this machine, blocking: what the demo asks of its node and of itself.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the server answers 200.
pub(super) fn is_ok(address: SocketAddr, path: &str) -> bool {
    exchange(address, &format!("GET {path}"), "").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}

/// The result of a JSON-RPC call; an error also where the node says one.
pub(super) fn call(address: SocketAddr, method: &str, params: &Value) -> io::Result<Value> {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let answer = exchange(address, "POST /", &request.to_string())?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let mut body: Value = serde_json::from_str(body)?;
    match body.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Err(io::Error::other(body.to_string())),
    }
}

fn exchange(address: SocketAddr, what: &str, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
