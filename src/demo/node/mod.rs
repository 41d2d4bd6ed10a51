//! The EVM node of the demo: a chain of its own on this machine, on which nothing has a value.
//!
//! It ends with the demo, however that ends, and its chain is kept in `DIR/node`. A node that ends alone is started again
//! at the same address. Blocks come every second and with every transaction; the node writes its state every second, so a
//! node that is killed loses what came after. Therefore a block of the demo is final when another one is on it *and* the
//! node has it on disk ([`Saved`]): what was told to be final is never lost, the rest is sent again.
//!
//! Source: specs/chain.md, part A and section 2.

mod binary;
mod process;
mod state;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use super::{exchange, folder};
use crate::app::Clock;
use crate::config::Saved;
use crate::start::Failure;
use crate::telemetry::Stopwatch;
use crate::types::Address;
use process::{Files, Process};
use state::State;

pub(super) use binary::find;

/// EIP-155: the number that development nodes share.
pub(super) const CHAIN_ID: u64 = 31_337;
const PORT: u16 = 8545;
/// Between two looks at the process and its state.
const LOOK: Duration = Duration::from_millis(100);
/// Copying takes at most this share of the time: the state grows with every block.
const COPYING_SHARE: u32 = 10;
/// A node answers within a third of a second; a busy machine may take longer.
const STARTING_LOOK: Duration = Duration::from_millis(20);
const STARTING_LOOKS_MAX: u32 = 1_500;
/// Somebody may take the port between the look and the start.
const PORTS_MAX: u32 = 5;
/// In wei: ten thousand whole coins, which cost nothing here.
const FUNDS: &str = "0x21e19e0c9bab2400000";

/// A node that runs. Dropping it ends it.
pub(super) struct Node {
    address: SocketAddr,
    saved: Saved,
    stop: mpsc::Sender<()>,
    watcher: JoinHandle<()>,
}

impl Node {
    /// Whether an earlier start left a chain there.
    pub(super) fn has_chain(folder: &Path) -> bool {
        State::new(folder, Saved::default()).is_there()
    }

    /// Wipes the chain of an earlier start: our own files and nothing else.
    pub(super) fn wipe(path: &Path) -> Result<(), Failure> {
        if !path.exists() {
            return Ok(());
        }
        let place = Place::of(path)?;
        place.end_stale()?;
        let state = State::new(&place.folder, Saved::default());
        let files = place.files();
        for file in state
            .files()
            .into_iter()
            .chain([&files.log, &files.pid, &place.listening(), &place.began()])
        {
            folder::remove(file)?;
        }
        Ok(())
    }

    /// Starts the node on the chain of the folder and gives the signer what it needs. Blocks.
    pub(super) fn start(binary: PathBuf, folder: &Path, signer: &Address) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::usage(format!("cannot write {}: {error}", folder.display())))?;
        let place = Place::of(folder)?;
        place.end_stale()?;
        let saved = Saved::default();
        let mut watch = Watch {
            began: place.beginning()?,
            state: State::new(&place.folder, saved.clone()),
            place,
            binary,
            address: free_address(PORT)?,
            process: None,
        };
        watch.begin()?;
        let funded = exchange::call(watch.address, "anvil_setBalance", &json!([signer, FUNDS]));
        funded.map_err(|error| Failure::usage(format!("the node does not give the signer its funds: {error}")))?;
        let (stop, stopped) = mpsc::channel();
        let address = watch.address;
        let watcher = std::thread::spawn(move || watch.run(&stopped));
        Ok(Self {
            address,
            saved,
            stop,
            watcher,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn saved(&self) -> Saved {
        self.saved.clone()
    }

    /// Ends the node, which writes its state. Blocks.
    pub(super) fn stop(self) {
        drop(self.stop);
        if self.watcher.join().is_err() {
            tracing::error!("the node's watcher ended before its time");
        }
    }
}

/// Where its files are; an absolute path, so that a process can be recognised by it.
struct Place {
    folder: PathBuf,
}

impl Place {
    fn of(folder: &Path) -> Result<Self, Failure> {
        let folder = folder
            .canonicalize()
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", folder.display())))?;
        Ok(Self { folder })
    }

    fn files(&self) -> Files {
        Files {
            log: self.folder.join("log"),
            pid: self.folder.join("pid"),
        }
    }

    /// When the chain began, in seconds since 1970.
    fn began(&self) -> PathBuf {
        self.folder.join("began")
    }

    /// The node makes its first block anew at every start, and keeps the one of its state beside it: only when both are
    /// the same does it always tell the same one.
    fn beginning(&self) -> Result<i64, Failure> {
        let known = std::fs::read_to_string(self.began()).ok();
        if let Some(seconds) = known.and_then(|text| text.trim().parse().ok()) {
            return Ok(seconds);
        }
        let now = Clock::System.now().seconds();
        folder::write(&self.began(), &now.to_string())?;
        Ok(now)
    }

    /// The node writes it once it listens: until then whoever answers at our port is somebody else.
    fn listening(&self) -> PathBuf {
        self.folder.join("listening.json")
    }

    fn end_stale(&self) -> Result<(), Failure> {
        match process::end_stale(&self.files().pid, &self.folder) {
            true => Ok(()),
            false => Err(Failure::usage(format!(
                "the node of an earlier demo still works on {} and does not end",
                self.folder.display()
            ))),
        }
    }
}

/// What looks after the node, on a thread of its own.
struct Watch {
    place: Place,
    state: State,
    binary: PathBuf,
    address: SocketAddr,
    began: i64,
    process: Option<Process>,
}

impl Watch {
    /// The first start, at another port where ours is taken meanwhile.
    fn begin(&mut self) -> Result<(), Failure> {
        let mut why = String::new();
        for _ in 0..PORTS_MAX {
            self.state.mend()?;
            match self.start() {
                Ok(()) => return Ok(()),
                Err(reason) => why = reason,
            }
            self.address = free_address(0)?;
        }
        Err(Failure::usage(format!("the node does not start: {why}")))
    }

    fn run(mut self, stopped: &mpsc::Receiver<()>) {
        let mut rest = LOOK;
        while stopped.recv_timeout(rest) == Err(RecvTimeoutError::Timeout) {
            let watch = Stopwatch::start();
            self.look();
            rest = LOOK.max(watch.elapsed().saturating_mul(COPYING_SHARE));
        }
        if let Some(mut process) = self.process.take() {
            process.end();
        }
    }

    fn look(&mut self) {
        if self.process.as_mut().is_some_and(|process| !process.has_ended()) {
            if let Err(failure) = self.state.keep() {
                tracing::warn!("the node's state is not kept: {}", failure.message);
            }
            return;
        }
        tracing::warn!("the node has ended: it is started again");
        let started = match self.state.is_there() {
            // A new chain is not the one that the database knows.
            false => Err("its state is gone".to_owned()),
            true => self
                .state
                .mend()
                .map_err(|failure| failure.message)
                .and_then(|()| self.start()),
        };
        match started {
            Ok(()) => tracing::info!(address = %self.address, "the node is back"),
            Err(why) => tracing::error!("the node does not start: {why}"),
        }
    }

    /// Returns when the node answers.
    fn start(&mut self) -> Result<(), String> {
        let listening = self.place.listening();
        let _none_yet = std::fs::remove_file(&listening);
        let started = Process::start(&self.binary, &self.arguments(), &self.place.files());
        let mut process = started.map_err(|error| error.to_string())?;
        for _ in 0..STARTING_LOOKS_MAX {
            if process.has_ended() {
                return Err(self.told());
            }
            // Its clock begins where the chain began; the answer is also the proof that it is there.
            let now = json!([Clock::System.now().seconds()]);
            if listening.exists() && exchange::call(self.address, "anvil_setTime", &now).is_ok() {
                self.process = Some(process);
                return Ok(());
            }
            std::thread::sleep(STARTING_LOOK);
        }
        process.end();
        Err("it does not answer".to_owned())
    }

    fn arguments(&self) -> Vec<String> {
        let options = [
            ("port", self.address.port().to_string()),
            ("chain-id", CHAIN_ID.to_string()),
            ("timestamp", self.began.to_string()),
            ("block-time", "1".to_owned()),
            // `finalized` follows the head at once instead of by dozens of blocks.
            ("slots-in-an-epoch", "1".to_owned()),
            ("state", self.state.file().display().to_string()),
            ("state-interval", "1".to_owned()),
            // Nobody's published key has money here.
            ("accounts", "0".to_owned()),
            ("config-out", self.place.listening().display().to_string()),
        ];
        let flags = ["--mixed-mining", "--enable-tx-gas-limit", "--silent"];
        let options = options
            .into_iter()
            .flat_map(|(name, value)| [format!("--{name}"), value]);
        options.chain(flags.map(str::to_owned)).collect()
    }

    /// The last words of a node that did not start.
    fn told(&self) -> String {
        let log = std::fs::read_to_string(self.place.files().log).unwrap_or_default();
        let last = log.lines().map(str::trim).rfind(|line| !line.is_empty());
        last.unwrap_or("it does not say why").to_owned()
    }
}

/// This port of the loopback, or a free one.
fn free_address(port: u16) -> Result<SocketAddr, Failure> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let address = bound.and_then(|listener| listener.local_addr());
    address.map_err(|error| Failure::usage(format!("there is no free port for the node: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the time of its first block the chain would begin with the same block, and nobody could tell them apart.
    #[test]
    fn a_chain_that_is_wiped_leaves_nothing_behind_not_even_when_it_began() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(folder.path()).unwrap();
        place.beginning().unwrap();
        std::fs::write(folder.path().join("state.json"), "{}").unwrap();

        Node::wipe(folder.path()).unwrap();

        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
