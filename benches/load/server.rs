//! The server under load: the real binary in a process of its own, and what the kernel and its metrics say of it.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;

use crate::Outcome;
use crate::node::free_address;
use crate::place::Place;
use crate::world;

/// Longer than any start takes, also of a debug build on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);
/// How long one probe of a starting server may take.
const PROBE_MAX: Duration = Duration::from_secs(2);
/// Clock ticks per second in /proc: 100 on every Linux (it is part of its binary interface).
const TICK_MICROS: u64 = 10_000;

/// How a server is started, again and again on the same port.
pub struct Launch {
    url: String,
    log: PathBuf,
    pub address: SocketAddr,
    metrics: SocketAddr,
    /// Settings beside those that every run has.
    settings: Vec<(&'static str, String)>,
}

pub struct Server {
    child: Child,
    address: SocketAddr,
    metrics: SocketAddr,
    log: PathBuf,
}

/// What a process has used since its start.
#[derive(Clone, Copy)]
pub struct Usage {
    pub cpu_micros: u64,
    pub resident_bytes: u64,
}

/// What the server says of its commits.
#[derive(Clone, Copy, Default)]
pub struct Commits {
    pub count: f64,
    pub recipients: f64,
}

impl Launch {
    pub fn new(place: &Place) -> Outcome<Self> {
        Ok(Self {
            url: place.url().to_owned(),
            log: place.folder().join("server.log"),
            address: free_address(),
            metrics: free_address(),
            settings: Vec::new(),
        })
    }

    /// Settles on the chain of this node, looking at it as often as a local one allows.
    #[must_use]
    pub fn on_chain(mut self, id: u64, url: &str, key: &str) -> Self {
        self.settings.extend([
            ("MONEYER_CHAIN__ID", id.to_string()),
            ("MONEYER_CHAIN__RPC", url.to_owned()),
            ("MONEYER_CHAIN__SIGNER_KEY", key.to_owned()),
            ("MONEYER_CHAIN__FINALITY", "1".to_owned()),
            ("MONEYER_CHAIN__POLL_MS", "100".to_owned()),
        ]);
        self
    }

    #[must_use]
    pub fn with(mut self, setting: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((setting, value.into()));
        self
    }

    /// A second process on the same database that only does the background work.
    pub fn spawn_worker(&self) -> Outcome<Child> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = self.command();
        command
            .arg("work")
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log);
        Ok(command.spawn()?)
    }

    /// Starts the process; it may not answer yet.
    pub fn spawn(&self) -> Outcome<Server> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = self.command();
        command
            .args(["serve", "--listen", &self.address.to_string()])
            .args(["--metrics-listen", &self.metrics.to_string()])
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log);
        Ok(Server {
            child: command.spawn()?,
            address: self.address,
            metrics: self.metrics,
            log: self.log.clone(),
        })
    }

    /// `moneyer check`, as soon as books and chain can be compared, which they cannot while something is about to be posted:
    /// the last line of what it says when all is well.
    pub fn check(&self) -> Outcome<String> {
        let begin = Instant::now();
        loop {
            let output = self.command().arg("check").output()?;
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if !output.status.success() {
                return Err(format!("{said} {}", String::from_utf8_lossy(&output.stderr)).into());
            }
            let is_compared = !said.contains("the chain was not compared");
            if is_compared || begin.elapsed() > START_MAX {
                return Ok(said.lines().last().unwrap_or_default().to_owned());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moneyer"));
        // What the caller has set for another server is not for this one.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MONEYER_")) {
            command.env_remove(name);
        }
        command
            .args(["--database", &self.url])
            .env("MONEYER_POLICIES__DIR", world::policies())
            .env("MONEYER_SECRETS__PEPPER", HEXLOWER.encode(&world::PEPPER))
            .env("MONEYER_SECRETS__DATA_KEY", HEXLOWER.encode(&world::DATA_KEY))
            .env("MONEYER_LOG__FORMAT", "json")
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Server {
    /// Returns when the server says that it can do its work.
    pub fn wait_until_ready(&mut self) -> Outcome<()> {
        let begin = Instant::now();
        while begin.elapsed() < START_MAX {
            self.expect_alive()?;
            if get(self.address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("the server is not ready after {START_MAX:?}: {}", tail(&self.log)).into())
    }

    /// An error, with the end of the log, when the process is gone.
    pub fn expect_alive(&mut self) -> Outcome<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("the server ended with {status}: {}", tail(&self.log)).into()),
        }
    }

    /// What it logged last.
    pub fn log_end(&self) -> String {
        tail(&self.log)
    }

    /// SIGKILL: no handler runs, nothing is flushed. An error when the process had ended before, by itself or by another
    /// hand.
    pub fn kill(&mut self) -> Outcome<()> {
        self.expect_alive()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    pub fn usage(&self) -> Outcome<Usage> {
        usage(&self.child.id().to_string())
    }

    pub fn commits(&self) -> Outcome<Commits> {
        let text = get(self.metrics, "/metrics")?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().parse().ok()).unwrap_or_default()
        };
        Ok(Commits {
            count: value("mint_commit_recipients_count"),
            recipients: value("mint_commit_recipients_sum"),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that the process is gone already.
        let _ = self.kill();
    }
}

/// Of a process by its id, or of this one as `self`.
pub fn usage(process: &str) -> Outcome<Usage> {
    let folder = Path::new("/proc").join(process);
    let stat = fs::read_to_string(folder.join("stat"))?;
    // The name, in parentheses, may hold spaces; utime and stime are the 12th and 13th fields after it (proc(5)).
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc: no name")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|t| t.parse::<u64>().ok())
        .sum();
    let status = fs::read_to_string(folder.join("status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    Ok(Usage {
        cpu_micros: ticks * TICK_MICROS,
        resident_bytes: kilobytes.ok_or("/proc: no VmRSS")? * 1_024,
    })
}

fn get(address: SocketAddr, path: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect_timeout(&address, PROBE_MAX)?;
    stream.set_read_timeout(Some(PROBE_MAX))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
