//! The node's process. A shell stands between it and us and ends it when its input closes: however the demo ends, the
//! node ends too, and writes its state before it does.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Tells the node's process id, and ends the node when the input closes before it ended by itself.
const GUARD: &str = r#"exec 3<&0
"$@" </dev/null >"$NODE_LOG" 2>&1 &
node=$!
echo "$node" >"$NODE_PID"
{ read -r _ <&3; kill -TERM "$node"; sleep 5; kill -KILL "$node"; } >/dev/null 2>&1 &
guard=$!
echo "$node"
wait "$node"
kill "$guard" 2>/dev/null"#;

/// Between two looks at whether a process is gone.
const PAUSE: Duration = Duration::from_millis(50);
/// Looks before a node that was asked to end is killed, and before we give up.
const ASKED_MAX: u32 = 160;
const KILLED_MAX: u32 = 100;

pub(super) struct Process {
    guard: Child,
}

pub(super) struct Files {
    pub log: PathBuf,
    pub pid: PathBuf,
}

impl Process {
    pub(super) fn start(binary: &Path, arguments: &[String], files: &Files) -> io::Result<Self> {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(binary)
            .args(arguments)
            .env("NODE_LOG", &files.log)
            .env("NODE_PID", &files.pid)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The shell remarks on how the node ended.
            .stderr(Stdio::null())
            // Ctrl-C is for the demo, which ends the node when it has put its work down.
            .process_group(0)
            .spawn()?;
        let stdout = guard.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        BufReader::new(stdout).read_line(&mut String::new())?;
        Ok(Self { guard })
    }

    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.guard.try_wait(), Ok(None))
    }

    /// Closes the guard's input and waits for the end of both.
    pub(super) fn end(&mut self) {
        drop(self.guard.stdin.take());
        if let Err(error) = self.guard.wait() {
            tracing::warn!(%error, "the node's guard cannot be waited for");
        }
    }
}

/// Ends a node that an earlier demo left behind on this state: two would overwrite each other's. False when it lives on.
pub(super) fn end_stale(pid: &Path, state: &Path) -> bool {
    let known = fs::read_to_string(pid).unwrap_or_default();
    let Ok(process) = known.trim().parse::<u32>() else {
        return true;
    };
    let is_there = || works_on(process, state);
    if !is_there() {
        return true;
    }
    tracing::warn!(process, "ending the node of an earlier demo");
    signal("-TERM", process);
    if is_gone(is_there, ASKED_MAX) {
        return true;
    }
    signal("-KILL", process);
    is_gone(is_there, KILLED_MAX)
}

fn is_gone(is_there: impl Fn() -> bool, looks: u32) -> bool {
    (0..looks).any(|_| {
        std::thread::sleep(PAUSE);
        !is_there()
    })
}

/// The number may have gone to another process since: only one with our state among its arguments is ours.
fn works_on(process: u32, state: &Path) -> bool {
    let state = state.display().to_string();
    let arguments = match fs::read(format!("/proc/{process}/cmdline")) {
        Ok(bytes) => bytes,
        Err(_) if Path::new("/proc/self").exists() => return false,
        Err(_) => {
            let ps = Command::new("ps")
                .args(["-o", "args=", "-p", &process.to_string()])
                .output();
            ps.map(|output| output.stdout).unwrap_or_default()
        }
    };
    String::from_utf8_lossy(&arguments).contains(&state)
}

/// By the shell: the program of that name is not on every machine.
fn signal(signal: &str, process: u32) {
    let arguments = ["-c", "kill \"$1\" \"$2\"", "sh", signal, &process.to_string()];
    let sent = Command::new("sh").args(arguments).stderr(Stdio::null()).status();
    if let Err(error) = sent {
        tracing::warn!(%error, "cannot send a signal");
    }
}
