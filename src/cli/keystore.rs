use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};

use super::Failure;
use crate::chain;

#[derive(Subcommand)]
pub(super) enum KeystoreCommand {
    /// Make a new key for the signer of transactions and write it, encrypted, to a new file. Show its address.
    Create {
        /// The new file; one that is there is left alone.
        file: PathBuf,
        /// A file that holds the password. Without it the password is asked for, or read from standard input.
        #[arg(long)]
        password_file: Option<PathBuf>,
    },
}

pub(super) async fn run(command: KeystoreCommand) -> Result<(), Failure> {
    let KeystoreCommand::Create { file, password_file } = command;
    let password = match password_file {
        Some(path) => from_file(&path)?,
        None => asked()?,
    };
    let made = chain::create_keystore(file.clone(), password).await;
    let address = made.map_err(|failure| Failure::usage(failure.to_string()))?;
    println!("{address}  {}", file.display());
    println!("Keep the file and the password apart, and a copy of each: without both the account is lost.");
    Ok(())
}

fn from_file(path: &Path) -> Result<SecretString, Failure> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    Ok(SecretString::from(text.trim_end_matches(['\n', '\r']).to_owned()))
}

/// On a terminal twice and unseen; else one line.
fn asked() -> Result<SecretString, Failure> {
    if !std::io::stdin().is_terminal() {
        return line();
    }
    let password = unseen("Password: ")?;
    let repeated = unseen("Again: ")?;
    if password.expose_secret() != repeated.expose_secret() {
        return Err(Failure::usage("the passwords differ"));
    }
    Ok(password)
}

fn unseen(prompt: &str) -> Result<SecretString, Failure> {
    eprint!("{prompt}");
    echo("-echo")?;
    let read = line();
    echo("echo")?;
    eprintln!();
    read
}

/// POSIX has one portable way to stop a terminal from showing what is typed.
fn echo(setting: &str) -> Result<(), Failure> {
    match Command::new("stty").arg(setting).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) | Err(_) => Err(Failure::usage(
            "the terminal cannot hide what is typed: use --password-file",
        )),
    }
}

fn line() -> Result<SecretString, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().read_line(&mut text);
    read.map_err(|error| Failure::usage(format!("cannot read the password: {error}")))?;
    Ok(SecretString::from(text.trim_end_matches(['\n', '\r']).to_owned()))
}
