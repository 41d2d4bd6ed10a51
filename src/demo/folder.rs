use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::start::Failure;

/// Everything that the demo writes holds keys.
const OWNER_ONLY: u32 = 0o600;

/// The demo's folder, ours alone as long as this lives.
pub(super) struct Folder {
    path: PathBuf,
    manifest: PathBuf,
    _lock: File,
}

impl Folder {
    /// Fails when a file cannot be written, and when another demo runs on the folder.
    pub(super) fn open(path: &Path, manifest: Option<&Path>) -> Result<Self, Failure> {
        fs::create_dir_all(path).map_err(|error| cannot_write(path, &error))?;
        let lock = lock(path)?;
        let manifest = manifest.map_or_else(|| path.join("manifest.json"), Path::to_path_buf);
        let folder = Self {
            path: path.to_path_buf(),
            manifest,
            _lock: lock,
        };
        for file in [folder.secrets(), folder.mint_100(), folder.manifest.clone()] {
            try_to_write(&file)?;
        }
        Ok(folder)
    }

    pub(super) fn database_url(&self) -> SecretString {
        SecretString::from(format!("sqlite:{}", self.path.join("demo.db").display()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn secrets(&self) -> PathBuf {
        self.path.join("secrets.json")
    }

    /// The body of a mint to 100 recipients.
    pub(super) fn mint_100(&self) -> PathBuf {
        self.path.join("mint-100.json")
    }

    /// Of the demo's own node.
    pub(super) fn node(&self) -> PathBuf {
        self.path.join("node")
    }

    pub(super) fn manifest(&self) -> &Path {
        &self.manifest
    }

    pub(super) fn remove_manifest(&self) -> Result<(), Failure> {
        remove(&self.manifest)
    }
}

pub(super) fn remove(file: &Path) -> Result<(), Failure> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_write(file, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Replaces a file at once: whoever reads it sees the old one or the whole new one, also after a crash.
pub(super) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    write_bytes(file, text.as_bytes())
}

pub(super) fn write_bytes(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let unfinished = unfinished(file);
    let written = create(&unfinished).and_then(|mut new| {
        new.write_all(bytes)?;
        new.sync_all()?;
        fs::rename(&unfinished, file)
    });
    written.map_err(|error| cannot_write(file, &error))
}

fn lock(path: &Path) -> Result<File, Failure> {
    let file = path.join("demo.lock");
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&file)
        .map_err(|error| cannot_write(&file, &error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            let message = format!("another demo runs in {}: stop it, or give --data", path.display());
            Err(Failure::usage(message))
        }
        Err(TryLockError::Error(error)) => Err(cannot_write(&file, &error)),
    }
}

/// Finds out before anything is begun.
fn try_to_write(file: &Path) -> Result<(), Failure> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let unfinished = unfinished(file);
    let tried = folder
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| create(&unfinished))
        .and_then(|_| fs::remove_file(&unfinished));
    tried.map_err(|error| cannot_write(file, &error))
}

fn create(file: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(OWNER_ONLY)
        .open(file)
}

fn unfinished(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".unfinished");
    PathBuf::from(name)
}

fn cannot_write(file: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot write {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn one_folder_has_one_demo_at_a_time() {
        let place = tempfile::tempdir().unwrap();

        let first = Folder::open(place.path(), None).unwrap();
        let second = Folder::open(place.path(), None).err().unwrap();
        drop(first);

        assert_eq!(second.code, 2);
        assert!(second.message.contains("another demo runs in"), "{}", second.message);
        assert!(Folder::open(place.path(), None).is_ok());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();

        let folder = Folder::open(&file, None).err().unwrap();
        let manifest = Folder::open(place.path(), Some(&file.join("manifest.json")))
            .err()
            .unwrap();

        assert!(folder.message.contains("cannot write"), "{}", folder.message);
        assert!(manifest.message.contains("cannot write"), "{}", manifest.message);
    }

    #[test]
    fn what_is_written_is_for_its_owner_only() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("secrets.json");

        write(&file, "1").unwrap();
        write(&file, "2").unwrap();

        assert_eq!(fs::read_to_string(&file).unwrap(), "2");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
