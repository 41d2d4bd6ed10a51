//! What the node has on disk. It overwrites its file in place: whoever ends it in the middle leaves half a file, with
//! which it does not start. So every whole state is copied beside it, and the copy is what counts as saved.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use super::super::folder;
use crate::config::Saved;
use crate::start::Failure;

pub(super) struct State {
    /// The node's own.
    file: PathBuf,
    copy: PathBuf,
    saved: Saved,
    /// The file as it was copied last.
    copied: Option<Stamp>,
}

type Stamp = (SystemTime, u64);

/// What is read of it; that it can be read to its end means that it is whole.
#[derive(Deserialize)]
struct Dump {
    best_block_number: Value,
}

impl State {
    pub(super) fn new(folder: &Path, saved: Saved) -> Self {
        Self {
            file: folder.join("state.json"),
            copy: folder.join("state.copy.json"),
            saved,
            copied: None,
        }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn files(&self) -> [&PathBuf; 2] {
        [&self.file, &self.copy]
    }

    /// Whether there is a chain to go on with.
    pub(super) fn is_there(&self) -> bool {
        self.files().into_iter().any(|path| read(path).is_some())
    }

    /// Makes the node's file whole, from the copy where it is broken. With neither the node begins a new chain.
    pub(super) fn mend(&mut self) -> Result<(), Failure> {
        let head = match read(&self.file) {
            Some((head, text)) => {
                folder::write_bytes(&self.copy, &text)?;
                Some(head)
            }
            None => match read(&self.copy) {
                Some((head, text)) => {
                    tracing::warn!(head, "the node's state is broken: it starts from the last whole one");
                    folder::write_bytes(&self.file, &text)?;
                    Some(head)
                }
                None => {
                    folder::remove(&self.file)?;
                    None
                }
            },
        };
        self.saved.set(head.unwrap_or(0));
        self.copied = stamp(&self.file);
        Ok(())
    }

    /// Copies what the node wrote since the last time, if it is whole; the next look finds what is not yet.
    pub(super) fn keep(&mut self) -> Result<(), Failure> {
        let now = stamp(&self.file);
        if now.is_none() || now == self.copied {
            return Ok(());
        }
        let Some((head, text)) = read(&self.file) else {
            return Ok(());
        };
        folder::write_bytes(&self.copy, &text)?;
        self.saved.set(head);
        self.copied = now;
        Ok(())
    }
}

/// The number of the last block, and the text; none when there is no whole state.
fn read(path: &Path) -> Option<(u64, Vec<u8>)> {
    let text = fs::read(path).ok()?;
    let dump: Dump = serde_json::from_slice(&text).ok()?;
    let head = match &dump.best_block_number {
        Value::String(digits) => u64::from_str_radix(digits.trim_start_matches("0x"), 16).ok(),
        other => other.as_u64(),
    };
    Some((head?, text))
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(folder: &Path) -> State {
        State::new(folder, Saved::default())
    }

    fn whole(head: u64) -> String {
        format!("{{\"accounts\":{{}},\"best_block_number\":{head},\"blocks\":[]}}")
    }

    #[test]
    fn only_what_is_whole_and_copied_counts_as_saved() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = state(folder.path());
        fs::write(state.file(), whole(7)).unwrap();
        state.keep().unwrap();
        assert_eq!(state.saved.block(), 7);

        let next = whole(8);
        fs::write(state.file(), next.strip_suffix('}').unwrap()).unwrap();
        state.keep().unwrap();
        assert_eq!(state.saved.block(), 7);

        fs::write(state.file(), next).unwrap();
        state.keep().unwrap();
        assert_eq!(state.saved.block(), 8);
    }

    #[test]
    fn a_broken_state_is_replaced_by_the_last_whole_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut before = state(folder.path());
        fs::write(before.file(), whole(7)).unwrap();
        before.keep().unwrap();
        fs::write(before.file(), "{\"accounts\":{},\"best_bl").unwrap();

        let mut after = state(folder.path());
        assert!(after.is_there());
        after.mend().unwrap();

        assert_eq!(fs::read_to_string(after.file()).unwrap(), whole(7));
        assert_eq!(after.saved.block(), 7);
    }

    #[test]
    fn with_neither_file_whole_there_is_no_chain_to_go_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = state(folder.path());
        fs::write(&state.file, "{").unwrap();
        fs::write(&state.copy, "").unwrap();

        assert!(!state.is_there());
        state.mend().unwrap();

        assert!(!state.file().exists());
        assert_eq!(state.saved.block(), 0);
    }

    /// Both spellings that nodes have for numbers.
    #[test]
    fn the_head_is_read_in_digits_and_in_hexadecimal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        for (text, head) in [("17", Some(17)), ("\"0x11\"", Some(17)), ("null", None)] {
            fs::write(&path, format!("{{\"best_block_number\":{text}}}")).unwrap();
            assert_eq!(read(&path).map(|(head, _)| head), head, "{text}");
        }
    }
}
