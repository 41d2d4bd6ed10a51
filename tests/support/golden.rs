//! Expected bodies are files in `tests/golden/`.

use std::path::Path;

use serde_json::Value;

/// Compares with the reviewed file; `UPDATE_GOLDEN=1` writes it, for a review of the change.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a test's switch, not a setting of the server")]
pub fn golden(name: &str, value: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::write(&path, &text).unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, reviewed,
        "run the test with UPDATE_GOLDEN=1 and review the change of {name}"
    );
}
