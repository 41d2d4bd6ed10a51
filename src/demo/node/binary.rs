//! Where the node's program is, and how it gets there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The packages of the contracts, from the root of the repository.
const PACKAGES: &str = "contracts";

/// The program, installed with npm where it is nowhere yet; or why there is none.
pub(in super::super) fn find(given: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(given) = given {
        return match runs(given) {
            true => Ok(given.to_path_buf()),
            false => Err(format!("{} does not run", given.display())),
        };
    }
    if let Some(found) = installed() {
        return Ok(found);
    }
    let elsewhere = PathBuf::from("anvil");
    if runs(&elsewhere) {
        return Ok(elsewhere);
    }
    install()?;
    installed().ok_or_else(|| "npm installed no node for this kind of machine".to_owned())
}

/// One package per platform holds the program itself: starting it through npx costs a second.
fn installed() -> Option<PathBuf> {
    let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let processor = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let package = format!("@foundry-rs/anvil-{system}-{processor}/bin/anvil");
    let modules = Path::new(PACKAGES).join("node_modules");
    let places = [
        modules.join(&package),
        modules.join("@foundry-rs/anvil/node_modules").join(&package),
    ];
    places.into_iter().find(|path| runs(path))
}

fn runs(program: &Path) -> bool {
    let version = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

/// As `bin/setup` does: the lock names what to install, and no install script is needed.
fn install() -> Result<(), String> {
    if !Path::new(PACKAGES).join("package-lock.json").exists() {
        return Err(format!("there is no node here, and no {PACKAGES}/ to install one from"));
    }
    tracing::info!("installing the local node with npm");
    let npm = Command::new("npm")
        .args(["--prefix", PACKAGES, "install", "--no-save", "--ignore-scripts"])
        .args(["--no-audit", "--no-fund"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("there is no node, and npm does not run: {error}"))?;
    if npm.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&npm.stderr);
    let why = told
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("it does not say why");
    Err(format!("there is no node, and npm cannot install one: {why}"))
}
