//! What the load was told: one line per acknowledged mint, in the file before the client's next request is sent. A line
//! is a JSON object with `operation`, `request`, `asset` and `lines` (pairs of recipient and amount in base units).

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use moneyer::types::{Address, Amount, OperationId};
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::order::{Line, Order};

pub struct Journal {
    file: Mutex<File>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    pub operation: OperationId,
    pub request_id: String,
    pub asset: Address,
    pub lines: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    operation: String,
    request: String,
    asset: String,
    lines: Vec<(String, String)>,
}

impl Journal {
    /// A new file: a journal is about one run.
    pub fn create(path: &Path) -> Outcome<Self> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(path);
        let file = file.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(Self { file: Mutex::new(file) })
    }

    /// When this returns the line is in the file: the kernel has it, whatever becomes of this process.
    pub fn acknowledge(&self, operation: &str, order: &Order) -> Outcome<()> {
        let pair = |line: &Line| (line.recipient.to_string(), line.amount.to_string());
        let written = Written {
            operation: operation.to_owned(),
            request: order.request_id.clone(),
            asset: order.asset.to_string(),
            lines: order.lines.iter().map(pair).collect(),
        };
        let mut line = serde_json::to_vec(&written)?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(file.write_all(&line)?)
    }
}

pub fn read(path: &Path) -> Outcome<Vec<Acknowledged>> {
    let lines = BufReader::new(File::open(path)?).lines();
    lines.map(|line| acknowledged(serde_json::from_str(&line?)?)).collect()
}

fn acknowledged(written: Written) -> Outcome<Acknowledged> {
    let lines = written.lines.iter().map(|(recipient, amount)| {
        Ok(Line {
            recipient: Address::parse(recipient)?,
            amount: Amount::parse(amount)?,
        })
    });
    Ok(Acknowledged {
        operation: OperationId::parse(&written.operation)?,
        request_id: written.request,
        asset: Address::parse(&written.asset)?,
        lines: lines.collect::<Outcome<_>>()?,
    })
}
