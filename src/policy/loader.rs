use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::definitions::Definitions;
use super::document::{Document, parse_toml, place_all};
use super::merge::{self, Sources};
use super::node::Node;
use super::problem::{PolicyError, Problem};
use super::set::{Policies, PolicySet, SourceFile};

/// A file of rules that is larger than this is not something a person reviews.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
const FILES_MAX: usize = 1_000;

/// Reads a folder of policies. Every fault of every file is reported at once, each with its place; with a single one
/// nothing is loaded. The golden cases are read here and run by `compliance::admit`.
pub fn load(dir: &Path) -> Result<PolicySet, Vec<PolicyError>> {
    let mut folder = Folder {
        dir,
        files: Vec::new(),
        errors: Vec::new(),
    };
    let definitions = read_definitions(&mut folder);
    if !folder.errors.is_empty() {
        // Rules name definitions: with broken ones every rule would look wrong too.
        return Err(folder.errors);
    }
    let baseline = folder
        .required("baseline.toml")
        .and_then(|file| folder.document(&file, &definitions));
    let templates = folder.documents("templates", &definitions);
    let assets = folder.documents("assets", &definitions);
    let golden = folder.list("tests");
    let Folder { files, mut errors, .. } = folder;
    let Some(baseline) = baseline else { return Err(errors) };
    let (policies, faults) = lay_out(Sources {
        baseline,
        templates,
        assets,
    });
    errors.extend(faults);
    match policies {
        Some(policies) if errors.is_empty() => Ok(PolicySet::new(definitions, files, golden, policies)),
        Some(_) | None => Err(errors),
    }
}

fn lay_out(sources: Sources) -> (Option<Policies>, Vec<PolicyError>) {
    let mut errors = Vec::new();
    let policies = merge::effective(&sources, &mut errors);
    (policies, errors)
}

fn read_definitions(folder: &mut Folder<'_>) -> Definitions {
    type Read = fn(&mut Definitions, &Node) -> Vec<Problem>;
    let parts: [(&str, Read); 3] = [
        ("defs/topics.toml", Definitions::read_topics),
        ("defs/issuers.toml", Definitions::read_issuers),
        ("defs/countries.toml", Definitions::read_countries),
    ];
    let mut definitions = Definitions::default();
    for (path, read) in parts {
        let Some(file) = folder.required(path) else { continue };
        match parse_toml(path, &file.text) {
            Ok(root) => folder
                .errors
                .extend(place_all(path, &file.text, read(&mut definitions, &root))),
            Err(errors) => folder.errors.extend(errors),
        }
    }
    definitions
}

/// What has been read so far, and what was wrong with it.
struct Folder<'d> {
    dir: &'d Path,
    files: Vec<SourceFile>,
    errors: Vec<PolicyError>,
}

impl Folder<'_> {
    fn required(&mut self, path: &str) -> Option<SourceFile> {
        let file = self.read(path)?;
        self.files.push(file.clone());
        Some(file)
    }

    fn read(&mut self, path: &str) -> Option<SourceFile> {
        let text = read_text(&self.dir.join(path));
        text.map(|text| SourceFile::new(path, text))
            .map_err(|error| {
                self.errors
                    .push(PolicyError::of_file(path, format!("cannot be read: {error}")))
            })
            .ok()
    }

    fn document(&mut self, file: &SourceFile, definitions: &Definitions) -> Option<Document> {
        Document::read(&file.path, &file.text, definitions)
            .map_err(|errors| self.errors.extend(errors))
            .ok()
    }

    fn documents(&mut self, subfolder: &str, definitions: &Definitions) -> BTreeMap<String, Document> {
        let files = self.list(subfolder);
        self.files.extend(files.iter().cloned());
        files
            .iter()
            .filter_map(|file| self.document(file, definitions))
            .map(|document| (document.id.clone(), document))
            .collect()
    }

    /// The `.toml` files of a subfolder, by name; a folder that is not there is empty. Hidden files are an editor's.
    fn list(&mut self, subfolder: &str) -> Vec<SourceFile> {
        let names = match names_in(&self.dir.join(subfolder)) {
            Ok(names) => names,
            Err(error) => {
                self.errors
                    .push(PolicyError::of_file(subfolder, format!("cannot be listed: {error}")));
                return Vec::new();
            }
        };
        names
            .iter()
            .filter_map(|name| self.read(&format!("{subfolder}/{name}")))
            .collect()
    }
}

fn names_in(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?
            .file_name()
            .into_string()
            .map_err(|_| io::Error::other("a file name is not UTF-8"))?;
        if name.ends_with(".toml") && !name.starts_with('.') {
            names.push(name);
        }
        if names.len() > FILES_MAX {
            return Err(io::Error::other(format!("has more than {FILES_MAX} files")));
        }
    }
    names.sort();
    Ok(names)
}

fn read_text(path: &Path) -> io::Result<String> {
    let size_bytes = fs::metadata(path)?.len();
    if size_bytes > FILE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "{size_bytes} bytes, at most {FILE_BYTES_MAX} are read"
        )));
    }
    fs::read_to_string(path)
}
