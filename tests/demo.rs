//! `moneyer demo` as somebody meets it: the real program, its manifest, its printed lines.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests fail by panicking"
)]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use moneyer::types::Address;
use serde_json::{Value, json};
use support::{Database, TestDatabase, http};
use tempfile::TempDir;

const THOUSAND: &str = "1000000000000000000000";
const ONE: &str = "1000000000000000000";
/// What the specification allows for a start on two cores.
const READY_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);

// --- the program ----------------------------------------------------------------------------------------------------

/// A folder for a demo; the database may be elsewhere.
struct Place {
    folder: TempDir,
    database: Option<String>,
}

impl Place {
    fn new(database: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, database }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("demo").join(name)
    }

    fn database_url(&self) -> String {
        let file = format!("sqlite:{}", self.path("demo.db").display());
        self.database.clone().unwrap_or(file)
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = moneyer(&["demo"]);
        let folder = self.folder.path().join("demo");
        for (flag, value) in [("--listen", "127.0.0.1:0"), ("--data", folder.to_str().unwrap())] {
            if !more.contains(&flag) {
                command.args([flag, value]);
            }
        }
        if let Some(url) = &self.database {
            command.args(["--database", url]);
        }
        command.args(more);
        command
    }

    fn start(&self, more: &[&str]) -> Demo {
        let output = self.folder.path().join("output");
        let child = self
            .command(more)
            .stdout(File::create(&output).unwrap())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Demo {
            child,
            output,
            manifest: self.path("manifest.json"),
        }
    }

    /// A start that must be refused: its one sentence.
    fn refusal(&self, more: &[&str]) -> String {
        let output = self.command(more).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        told
    }
}

fn moneyer(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moneyer"));
    command.args(arguments).env_clear();
    command
}

struct Demo {
    child: Child,
    output: PathBuf,
    manifest: PathBuf,
}

impl Demo {
    /// Waits until the condition holds; fails when the program ends before.
    async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !condition(self) {
                let ended = self.child.try_wait().unwrap();
                assert!(ended.is_none(), "ended before {what}: {}", self.printed());
                tokio::time::sleep(PAUSE).await;
            }
        };
        let in_time = tokio::time::timeout(READY_WITHIN, waiting).await;
        assert!(in_time.is_ok(), "no {what} in time: {}", self.printed());
    }

    async fn ready(&mut self) -> Manifest {
        self.until("guide", |demo| demo.printed().contains("mint-100.json"))
            .await;
        Manifest(serde_json::from_slice(&fs::read(&self.manifest).unwrap()).unwrap())
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// As a power cut does.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// --- the manifest ---------------------------------------------------------------------------------------------------

struct Manifest(Value);

impl Manifest {
    fn text(&self, pointer: &str) -> String {
        self.0.pointer(pointer).unwrap().as_str().unwrap().to_owned()
    }

    fn recipients(&self, kind: &str) -> Vec<Value> {
        self.0["recipients"][kind].as_array().unwrap().clone()
    }

    fn url(&self, asset: &str, action: &str) -> String {
        let address = self.text(&format!("/assets/{asset}/address"));
        format!("{}/api/token/{address}/{action}", self.text("/baseUrl"))
    }

    fn pin(&self) -> Value {
        json!({ "secretVerificationCode": self.0["users"]["issuer"]["pin"], "verificationType": "PINCODE" })
    }

    async fn mint(&self, asset: &str, recipients: Value, amounts: Value, verification: Value) -> (u16, Value) {
        let body = json!({ "recipients": recipients, "amounts": amounts, "walletVerification": verification });
        self.post("issuer", &self.url(asset, "mint"), &body).await
    }

    async fn post(&self, user: &str, url: &str, body: &Value) -> (u16, Value) {
        let key = self.text(&format!("/users/{user}/apiKey"));
        let request = http().post(url).header("X-Api-Key", key).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Slugs of what a mint to this recipient would be told.
    async fn slugs(&self, asset: &str, recipient: &Value) -> BTreeSet<String> {
        let body = json!({ "recipients": recipient, "amounts": "1" });
        let (status, answer) = self.post("issuer", &self.url(asset, "mint/check"), &body).await;
        assert_eq!(status, 200, "{answer}");
        let findings = answer["findings"].as_array().unwrap().iter();
        findings.map(|f| f["slug"].as_str().unwrap().to_owned()).collect()
    }

    /// Base units of the equity, told by minting one more.
    async fn supply_after_one_more(&self) -> u128 {
        let recipient = self.recipients("approved")[0].clone();
        let (status, asset) = self.mint("equity", recipient, json!("1"), self.pin()).await;
        assert_eq!(status, 200, "{asset}");
        supply(&asset)
    }
}

fn supply(asset: &Value) -> u128 {
    let dnum: Value = serde_json::from_str(asset["totalSupply"].as_str().unwrap()).unwrap();
    assert_eq!(dnum[1], asset["decimals"]);
    dnum[0].as_str().unwrap().parse().unwrap()
}

fn addresses(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if text.starts_with("0x") => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(addresses).collect(),
        Value::Object(fields) => fields.values().flat_map(addresses).collect(),
        _ => Vec::new(),
    }
}

// --- a demo's life --------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_keeps_what_its_manifest_and_its_printed_lines_promise_on_sqlite() {
    life(&Place::new(None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_keeps_what_its_manifest_and_its_printed_lines_promise_on_postgres() {
    let database = TestDatabase::empty(Database::Postgres).await;
    life(&Place::new(Some(database.url.clone()))).await;
    database.remove().await;
}

async fn life(place: &Place) {
    let mut demo = place.start(&[]);
    let manifest = demo.ready().await;
    the_manifest_has_everything(&manifest);
    the_documented_examples_are_answered_as_documented(&manifest).await;
    a_hundred_recipients_are_minted_to_in_one_call(&manifest, place).await;
    everybody_is_who_the_manifest_says(&manifest).await;
    every_recipient_is_of_its_kind(&manifest).await;
    the_stablecoin_has_its_collateral(&manifest).await;
    printed_lines_work(&manifest, &demo.printed(), place).await;
    assert!(place.refusal(&[]).contains("another demo runs in"));

    let before = manifest.supply_after_one_more().await;
    demo.kill();
    fs::write(place.path("manifest.json"), "not the manifest").unwrap();
    let mut demo = place.start(&[]);
    let again = demo.ready().await;
    for part in ["users", "assets", "recipients"] {
        assert_eq!(again.0[part], manifest.0[part], "{part}");
    }
    assert_eq!(again.supply_after_one_more().await, before + 1);
    demo.kill();
    let checked = moneyer(&["check", "--database", &place.database_url()])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));

    fs::rename(place.path("secrets.json"), place.path("elsewhere.json")).unwrap();
    assert!(place.refusal(&[]).contains("whose keys are not in"));
    let mut demo = place.start(&["--reset"]);
    let anew = demo.ready().await;
    assert_ne!(anew.0["users"], manifest.0["users"]);
    assert_eq!(
        anew.slugs("equity", &anew.recipients("approved")[0]).await,
        BTreeSet::new()
    );
}

fn the_manifest_has_everything(manifest: &Manifest) {
    assert_eq!(manifest.text("/settlement"), "book");
    let parts: BTreeSet<&str> = manifest.0.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["assets", "baseUrl", "metricsUrl", "recipients", "settlement", "users"];
    assert_eq!(parts, BTreeSet::from(expected));

    let users = manifest.0["users"].as_object().unwrap();
    let expected = "admin auditor custodian emergency governor issuer officer officer2 outsider trustedIssuer";
    assert_eq!(users.keys().cloned().collect::<Vec<_>>().join(" "), expected);
    for (name, user) in users {
        let count = if name == "issuer" { 7 } else { 4 };
        assert_eq!(user.as_object().unwrap().len(), count, "{name}");
    }
    assert_eq!(users["issuer"]["totpAlgorithm"], "SHA1");
    assert_eq!(users["issuer"]["secretCodes"].as_array().unwrap().len(), 16);

    assert_eq!(manifest.recipients("approved").len(), 120);
    for kind in ["unregistered", "unverified", "blockedCountry", "frozen"] {
        assert!(!manifest.recipients(kind).is_empty(), "{kind}");
    }
    let all = addresses(&manifest.0);
    for address in &all {
        assert_eq!(Address::parse(address).unwrap().to_string(), *address);
    }
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    let assets = &manifest.0["assets"];
    assert_eq!(assets["equity"]["cap"], "1000000000000000000000000");
    assert_eq!(assets["stablecoin"]["collateral"], "1000000000000");
    assert_eq!(assets["stablecoin"]["decimals"], 6);
}

/// The two examples of "Mint assets", and a code of each kind.
async fn the_documented_examples_are_answered_as_documented(manifest: &Manifest) {
    let approved = manifest.recipients("approved");
    let before = manifest.supply_after_one_more().await;
    let otp = json!({ "secretVerificationCode": password(manifest), "verificationType": "OTP" });
    let code = &manifest.0["users"]["issuer"]["secretCodes"][0];
    let code = json!({ "secretVerificationCode": code, "verificationType": "SECRET_CODES" });

    let (status, single) = manifest
        .mint("equity", approved[0].clone(), json!([THOUSAND, 18]), otp)
        .await;
    let amounts = json!([
        ["500000000000000000000", 18],
        ["300000000000000000000", 18],
        ["200000000000000000000", 18]
    ]);
    let (status_of_batch, batch) = manifest.mint("equity", json!(approved[1..4]), amounts, code).await;

    assert_eq!((status, status_of_batch), (200, 200), "{single} {batch}");
    assert_eq!(single["id"], manifest.0["assets"]["equity"]["address"]);
    let documented = [
        ("type", json!("equity")),
        ("name", json!("ACME Holdings Common Stock")),
        ("symbol", json!("ACME")),
        ("decimals", json!(18)),
        ("basePrice", json!("[\"10000\",2]")),
        ("basePriceCurrencyCode", json!("USD")),
        ("capped", json!({ "cap": "[\"1000000000000000000000000\",18]" })),
    ];
    for (field, value) in documented {
        assert_eq!(single[field], value, "{field}");
    }
    assert_eq!(single["pausable"]["paused"], false);
    for field in [
        "createdAt",
        "identity",
        "accessControl",
        "complianceModuleConfigs",
        "userPermissions",
        "stats",
    ] {
        assert!(!single[field].is_null(), "{field}");
    }
    let thousand: u128 = THOUSAND.parse().unwrap();
    assert_eq!(supply(&single), before + thousand);
    assert_eq!(supply(&batch), before + 2 * thousand);
}

/// What an authenticator app shows now.
fn password(manifest: &Manifest) -> String {
    let seed = manifest.text("/users/issuer/totpSecret");
    let seed = data_encoding::BASE32_NOPAD.decode(seed.as_bytes()).unwrap();
    let totp = totp_rs::Builder::new().with_secret(seed).build().unwrap();
    totp.generate_current().to_string()
}

async fn a_hundred_recipients_are_minted_to_in_one_call(manifest: &Manifest, place: &Place) {
    let before = manifest.supply_after_one_more().await;
    let body: Value = serde_json::from_slice(&fs::read(place.path("mint-100.json")).unwrap()).unwrap();
    assert_eq!(body["recipients"].as_array().unwrap().len(), 100);

    let (status, asset) = manifest.post("issuer", &manifest.url("equity", "mint"), &body).await;

    assert_eq!(status, 200, "{asset}");
    assert_eq!(supply(&asset), before + 100 * ONE.parse::<u128>().unwrap());
}

async fn everybody_is_who_the_manifest_says(manifest: &Manifest) {
    let body = json!({ "recipients": manifest.recipients("approved")[0], "amounts": "1" });
    for user in manifest.0["users"].as_object().unwrap().keys() {
        for asset in ["equity", "stablecoin", "paused"] {
            let (status, answer) = manifest.post(user, &manifest.url(asset, "mint/check"), &body).await;
            let expected = if user == "issuer" { 200 } else { 403 };
            assert_eq!(status, expected, "{user}: {answer}");
        }
    }
    let metrics = http().get(manifest.text("/metricsUrl")).send().await.unwrap();
    assert!(metrics.text().await.unwrap().contains("mints_total"));
}

async fn every_recipient_is_of_its_kind(manifest: &Manifest) {
    let slug = |text: &str| BTreeSet::from([text.to_owned()]);
    for (kind, equity, stablecoin) in [
        ("approved", BTreeSet::new(), BTreeSet::new()),
        ("unregistered", slug("identity_unknown"), slug("identity_unknown")),
        ("unverified", slug("claim_missing"), BTreeSet::new()),
        ("blockedCountry", slug("country_blocked"), slug("country_blocked")),
        ("frozen", slug("recipient_frozen"), BTreeSet::new()),
    ] {
        for recipient in manifest.recipients(kind) {
            assert_eq!(manifest.slugs("equity", &recipient).await, equity, "{kind}");
            assert_eq!(manifest.slugs("stablecoin", &recipient).await, stablecoin, "{kind}");
        }
    }
    let approved = &manifest.recipients("approved")[0];
    assert_eq!(manifest.slugs("paused", approved).await, slug("asset_paused"));
}

async fn the_stablecoin_has_its_collateral(manifest: &Manifest) {
    let approved = manifest.recipients("approved")[0].clone();
    let mint = |amount: u128| {
        let amounts = json!([amount.to_string(), 6]);
        manifest.mint("stablecoin", approved.clone(), amounts, manifest.pin())
    };
    let (_, asset) = mint(1).await;
    let left = 1_000_000_000_000 - supply(&asset);

    let (above, answer) = mint(left + 1).await;
    let (exact, _) = mint(left).await;

    assert_eq!((above, exact), (422, 200), "{answer}");
}

/// Takes the lines apart as a shell does; all four are answered.
async fn printed_lines_work(manifest: &Manifest, printed: &str, place: &Place) {
    let lines: Vec<&str> = printed.lines().filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(lines.len(), 4, "{printed}");
    assert!(printed.contains("nothing has a value"), "{printed}");
    let mint_100 = format!("@{}", place.path("mint-100.json").display());
    for line in lines {
        let url = line.split(' ').find(|word| word.starts_with("http://")).unwrap();
        let (head, data) = line.split_once(" -d ").unwrap();
        assert!(
            head.contains(&format!("-H 'X-Api-Key: {}'", manifest.text("/users/issuer/apiKey"))),
            "{line}"
        );
        assert!(head.contains("-H 'Content-Type: application/json'"), "{line}");
        let body = match data.strip_prefix('\'') {
            Some(quoted) => quoted.strip_suffix('\'').unwrap().to_owned(),
            None => {
                assert_eq!(data, mint_100);
                fs::read_to_string(place.path("mint-100.json")).unwrap()
            }
        };
        let (status, answer) = manifest
            .post("issuer", url, &serde_json::from_str(&body).unwrap())
            .await;
        assert_eq!(status, 200, "{line}: {answer}");
    }
}

// --- what a start refuses -------------------------------------------------------------------------------------------

#[test]
fn a_chain_a_used_port_and_a_folder_that_cannot_be_written_are_refused() {
    let place = Place::new(None);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let file = place.folder.path().join("file");
    fs::write(&file, "").unwrap();

    assert!(place.refusal(&["--settlement", "evm"]).contains("--settlement evm"));
    assert!(place.refusal(&["--listen", &taken]).contains(&taken));
    assert!(place.refusal(&["--metrics-listen", &taken]).contains(&taken));
    assert!(
        place
            .refusal(&["--data", file.to_str().unwrap()])
            .contains("cannot write")
    );
    assert!(!place.path("secrets.json").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_no_demo_created_is_left_alone_on_sqlite() {
    refuses_foreign(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_no_demo_created_is_left_alone_on_postgres() {
    refuses_foreign(Database::Postgres).await;
}

async fn refuses_foreign(kind: Database) {
    let database = TestDatabase::empty(kind).await;
    let (url, wallet) = (database.url.clone(), "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
    let bootstrap = [
        "admin",
        "bootstrap",
        "--name",
        "Somebody",
        "--wallet",
        wallet,
        "--database",
        &url,
    ];
    assert!(moneyer(&bootstrap).output().unwrap().status.success());
    let place = Place::new(Some(url.clone()));

    for more in [[].as_slice(), &["--reset"]] {
        assert!(place.refusal(more).contains("no demo created"));
    }

    let users = moneyer(&["admin", "user", "list", "--database", &url])
        .output()
        .unwrap();
    let users = String::from_utf8(users.stdout).unwrap();
    assert!(users.contains("Somebody") && users.lines().count() == 1, "{users}");
    database.remove().await;
}

// --- interrupted starts ---------------------------------------------------------------------------------------------

/// The log of SQLite grows with what was written: a measure of how far a start came that needs no clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_that_was_killed_while_it_was_set_up_begins_anew_at_the_next_start() {
    let written = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    for at_least in [1, 150_000, 400_000, 700_000, 1_000_000] {
        let place = Place::new(None);
        let log = place.path("demo.db-wal");
        let mut demo = place.start(&[]);
        demo.until("log", |_| written(&log) >= at_least).await;
        demo.kill();

        let mut demo = place.start(&[]);
        let manifest = demo.ready().await;

        let approved = &manifest.recipients("approved")[0];
        let slugs = manifest.slugs("equity", approved).await;
        assert_eq!(slugs, BTreeSet::new(), "killed at {at_least}");
    }
}
