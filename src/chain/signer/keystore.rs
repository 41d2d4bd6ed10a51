use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ethers_core::rand::rngs::OsRng;
use ethers_signers::{LocalWallet, Signer as _};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::super::failure::Failure;
use super::local::Local;
use crate::types::Address;

/// The library's key derivation is scrypt with N = 8192, a thirty-second of what wallets take: the password has to be
/// worth more.
const PASSWORD_LENGTH_MIN: usize = 12;

/// Decrypts on a blocking thread: scrypt is made to take long.
pub(super) async fn open(path: &Path, password: &SecretString) -> Result<Local, Failure> {
    let (path, password) = (path.to_path_buf(), password.clone());
    let shown = path.display().to_string();
    let work = move || LocalWallet::decrypt_keystore(path, password.expose_secret());
    // The library panics on some malformed files; that ends its thread and not ours.
    let opened = tokio::task::spawn_blocking(work).await;
    match opened {
        Ok(Ok(wallet)) => Ok(Local::new(wallet)),
        Ok(Err(error)) => Err(Failure::Signer(format!(
            "the keystore {shown} cannot be opened: {error}"
        ))),
        Err(_) => Err(Failure::Signer(format!("the keystore {shown} is malformed"))),
    }
}

/// The key itself, for what is derived from it. Takes up to some seconds; errors as [`Signer::open`](super::Signer::open).
pub fn keystore_key(path: &Path, password: &SecretString) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let (path, password) = (path.to_path_buf(), password.clone());
    let shown = path.display().to_string();
    // On a thread of its own: the library panics on some malformed files.
    let opening = std::thread::spawn(move || LocalWallet::decrypt_keystore(path, password.expose_secret()));
    match opening.join() {
        Ok(Ok(wallet)) => Ok(Zeroizing::new(wallet.signer().to_bytes().into())),
        Ok(Err(error)) => Err(Failure::Signer(format!(
            "the keystore {shown} cannot be opened: {error}"
        ))),
        Err(_) => Err(Failure::Signer(format!("the keystore {shown} is malformed"))),
    }
}

/// Makes a new key and writes it, encrypted, to a new file that only its owner may read. The key is nowhere else: who
/// loses the file or the password loses the account. Errors: the file exists, or cannot be written.
pub async fn create_keystore(path: PathBuf, password: SecretString) -> Result<Address, Failure> {
    if password.expose_secret().chars().count() < PASSWORD_LENGTH_MIN {
        return Err(Failure::Settings(format!(
            "the password must have at least {PASSWORD_LENGTH_MIN} characters"
        )));
    }
    let made = tokio::task::spawn_blocking(move || write(&path, &password)).await;
    made.unwrap_or_else(|_| Err(Failure::Signer("the keystore could not be made".to_owned())))
}

fn write(path: &Path, password: &SecretString) -> Result<Address, Failure> {
    let cannot = |error: &dyn std::fmt::Display| Failure::Settings(format!("{}: {error}", path.display()));
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| cannot(&"is not the name of a file"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));

    // The file is ours and closed to others before the library writes into it.
    let mut options = OpenOptions::new();
    let created = options.write(true).create_new(true).mode(0o600).open(path);
    created.map_err(|error| cannot(&error))?;
    let wallet = LocalWallet::new(&mut OsRng);
    let key = Zeroizing::new(<[u8; 32]>::from(wallet.signer().to_bytes()));
    let written = LocalWallet::encrypt_keystore(folder, &mut OsRng, *key, password.expose_secret(), Some(name));
    match written {
        Ok(_) => Ok(Address::from_bytes(wallet.address().0)),
        Err(error) => {
            let _ = std::fs::remove_file(path);
            Err(cannot(&error))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn password(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[tokio::test]
    async fn a_new_keystore_opens_with_its_password_only_and_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");

        let address = create_keystore(path.clone(), password("correct horse")).await.unwrap();

        assert_eq!(
            open(&path, &password("correct horse")).await.unwrap().address(),
            address
        );
        assert!(open(&path, &password("another horse")).await.is_err());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        std::fs::write(&path, "precious").unwrap();

        assert!(create_keystore(path.clone(), password("correct horse")).await.is_err());

        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_short_password_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");

        assert!(create_keystore(path.clone(), password("elevenchars")).await.is_err());
        assert!(!path.exists());
        assert!(create_keystore(path, password("twelve chars")).await.is_ok());
    }

    #[tokio::test]
    async fn a_file_that_is_missing_or_malformed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");

        assert!(open(&path, &password("x")).await.is_err());
        // The derived key is shorter than the library expects.
        let short = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"00"},"ciphertext":"00","kdf":"scrypt",
            "kdfparams":{"dklen":8,"n":2,"p":1,"r":1,"salt":"00"},"mac":"00"},
            "id":"00000000-0000-4000-8000-000000000000","version":3}"#;
        std::fs::write(&path, short).unwrap();
        assert!(open(&path, &password("x")).await.is_err());
    }
}
