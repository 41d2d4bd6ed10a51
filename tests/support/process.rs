//! The real program in a process of its own, and who may call it: for what only shows between processes.

#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use moneyer::access::By;
use moneyer::access::environment::{self, KeyPurpose, NewEnvironment, Tier};
use moneyer::app::{App, Clock};
use moneyer::config::TestMarker;
use moneyer::error::Error;
use moneyer::types::{EnvironmentId, KeyId, UserId};
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::client::{Call, http};
use super::database::{Database, TestDatabase};
use super::server::{Options, open};
use super::world::{World, import_sanctions};

const START_TIME_OUT: Duration = Duration::from_secs(60);

/// `moneyer serve` on a port of its own. Ends with the value.
pub struct Process {
    child: Child,
    log: PathBuf,
    pub base: String,
    client: reqwest::Client,
    _folder: TempDir,
}

impl Process {
    /// With development keys, as [`open`] has them, so that keys made there are known here.
    pub async fn start(url: &str, settings: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let file = File::create(&log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_moneyer"));
        command
            .args(["--database", url, "serve", "--no-migrate"])
            .args(["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("MONEYER_LOG__FORMAT", "json")
            .env("MONEYER_LOG__FILTER", "info")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(file.try_clone().unwrap())
            .stdout(file);
        let mut process = Self {
            child: command.spawn().unwrap(),
            log,
            base: String::new(),
            client: http(),
            _folder: folder,
        };
        process.base = format!("http://{}", process.address().await);
        process
    }

    /// As it logs it once it serves.
    async fn address(&mut self) -> String {
        let begin = Instant::now();
        loop {
            let log = self.log();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let serving = lines
                .filter(|line| line["message"] == "serving")
                .find_map(|line| line["address"].as_str().map(str::to_owned));
            if let Some(address) = serving {
                return address;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended with {ended:?}: {log}");
            assert!(begin.elapsed() < START_TIME_OUT, "the server does not start: {log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A request to it.
    pub fn call(&self, method: Method, path: &str) -> Call {
        Call::new(&self.client, method, format!("{}{path}", self.base), None)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        let mut text = String::new();
        File::open(&self.log).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// SIGTERM: it ends as an operator ends it. Waits for that.
    pub fn stop(&mut self) {
        let id = self.child.id().to_string();
        // Every shell has `kill`; a program of that name is not on every machine.
        let told = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &id])
            .status()
            .unwrap();
        assert!(told.success());
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "{ended}: {}", self.log());
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A database with the world in it and the time of now, before any process works on it.
pub struct Ground {
    pub database: TestDatabase,
    pub world: std::sync::Arc<World>,
    /// For what a test needs to be so; it serves nobody.
    pub app: App,
}

/// A key of an environment.
#[derive(Clone, Debug)]
pub struct Key {
    pub environment: EnvironmentId,
    pub id: KeyId,
    pub text: String,
}

impl Ground {
    pub async fn new(database: Database) -> Self {
        let (database, world) = TestDatabase::copied(database).await;
        let now = Clock::System.now();
        let app = open(&database.url, &Options::default(), now);
        app.db().write(move |tx| import_sanctions(tx, now)).await.unwrap();
        Self { database, world, app }
    }

    /// A project with an environment on the chain of this name, and its keys: the secret one, the publishable one.
    pub async fn environment(&self, project: &str, chain: &str, tier: Tier, owner: UserId) -> [Key; 2] {
        let (vault, now) = (self.app.vault().clone(), Clock::System.now());
        let (project, chain) = (project.to_owned(), chain.to_owned());
        let made = self.app.db().write(move |tx| {
            let by = By::command_line(now);
            let project = environment::create_project(tx, by.clone(), &project)?;
            let new = NewEnvironment {
                project: project.id,
                name: "sandbox".to_owned(),
                chain: chain.clone(),
                test: true,
                tier,
                owner,
            };
            let environment = environment::create(tx, by.clone(), new)?.id;
            let mut key = |purpose| {
                let by = by.clone();
                let issued = environment::create_key(tx, &vault, TestMarker::BeforeHyphen, by, environment, purpose)?;
                Ok::<Key, Error>(Key {
                    environment,
                    id: issued.stored.id.clone(),
                    text: issued.key.reveal().to_owned(),
                })
            };
            Ok([key(KeyPurpose::Secret)?, key(KeyPurpose::Publishable)?])
        });
        made.await.unwrap()
    }

    pub async fn remove(self) {
        drop(self.app);
        self.database.remove().await;
    }
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
