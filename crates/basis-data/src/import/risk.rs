//! Risk parameters of Aave's reserves: the table beside the series, out of the subgraph's `Reserve` or out of
//! another table of the layout.
//!
//! The subgraph counts shares in hundredths of a percent, the bonus with the debt it is paid on (`10450` is 4.5 %),
//! and the kink of the rates in ray.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::number;
use super::text::Lines;
use super::write::Made;
use crate::catalogue::RISK_PARAMETERS;
use crate::csv::SHOWN_WHEN_LOADING;
use crate::rows::{RISK_HEADER, parse_risk_parameters};

/// Fields of a `Reserve`, in the order of the table, each with the power of ten of its unit.
const FIELDS: [(&str, i32); 5] = [
    ("baseLTVasCollateral", -4),
    ("reserveLiquidationThreshold", -4),
    (BONUS, -4),
    ("reserveFactor", -4),
    ("optimalUtilisationRate", -27),
];
const BONUS: &str = "reserveLiquidationBonus";
/// Fields of its efficiency mode, where the reserve is in one.
const EMODE: [&str; 3] = [
    "eMode.ltv",
    "eMode.liquidationThreshold",
    "eMode.liquidationBonus",
];
const LABEL: &str = "eMode.label";
/// Debt alone, without a bonus, in hundredths of a percent.
const WHOLE: i128 = 10_000;

/// Rows by asset, each with the source that it is of.
#[derive(Debug, Default)]
pub(super) struct RiskTable {
    rows: BTreeMap<String, (String, String)>,
    added: u64,
    repeated: u64,
}

impl RiskTable {
    /// Takes what stands beside the rows of a reply of the subgraph; nothing where it names none of the fields.
    ///
    /// # Errors
    /// Some of the fields are there and others not, or one is no share.
    pub(super) fn reply(
        &mut self,
        beside: &BTreeMap<String, String>,
        label: &str,
    ) -> Result<(), String> {
        let missing: Vec<_> = FIELDS
            .iter()
            .map(|(name, _)| *name)
            .chain(["symbol"])
            .filter(|name| !beside.contains_key(*name))
            .collect();
        if FIELDS.iter().all(|(name, _)| missing.contains(name)) {
            return Ok(());
        }
        if !missing.is_empty() {
            return Err(format!(
                "has risk parameters without {}; ask for all of them",
                missing.join(", ")
            ));
        }
        let text = |name: &str| beside.get(name).map(String::as_str).unwrap_or_default();
        let mut row = text("symbol").to_owned();
        for (name, shift) in FIELDS {
            row.push(',');
            row.push_str(&share(name, text(name), shift)?);
        }
        row.push(',');
        row.push_str(&text(LABEL).replace(' ', "-"));
        for name in EMODE {
            row.push(',');
            if beside.contains_key(LABEL) {
                row.push_str(&share(name, text(name), -4)?);
            }
        }
        self.take(row, label)
    }

    /// Takes the rows of a table of the layout, and counts them; `None` where `bytes` are no such table.
    ///
    /// # Errors
    /// A row that contradicts another.
    pub(super) fn table(&mut self, bytes: &[u8], label: &str) -> Result<Option<u64>, String> {
        let mut lines = Lines::new(bytes);
        let mut fields = Vec::new();
        let header = RISK_HEADER.split(',').map(str::as_bytes);
        if !matches!(lines.next_into(&mut fields), Some(Ok(_)))
            || !fields.iter().copied().eq(header)
        {
            return Ok(None);
        }
        let mut rows = 0;
        while let Some(line) = lines.next_into(&mut fields) {
            line.map_err(|(line, what)| format!("line {line} {what}"))?;
            let row: Vec<_> = fields.iter().map(|field| plain(field)).collect();
            self.take(row.join(","), label)?;
            rows += 1;
        }
        Ok(Some(rows))
    }

    fn take(&mut self, row: String, label: &str) -> Result<(), String> {
        let asset = row.split(',').next().unwrap_or_default().to_owned();
        match self.rows.get(&asset) {
            Some((known, _)) if *known == row => self.repeated += 1,
            Some((known, of)) => {
                return Err(format!(
                    "has risk parameters of {asset} ({row}) that are not those of {of} ({known}); the table is \
                     one for the whole range: remove the wrong one"
                ));
            }
            None => {
                self.added += 1;
                self.rows.insert(asset, (row, label.to_owned()));
            }
        }
        Ok(())
    }

    /// The table, merged with the one that is there; nothing where no file had any.
    ///
    /// # Errors
    /// A row that contradicts one that is there, or that no run would take.
    pub(super) fn finish(mut self, to: &Path) -> Result<Option<(Made, [u64; 3])>, String> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let path = to.join(RISK_PARAMETERS);
        if path.exists() {
            let label = path.display().to_string();
            let bytes = fs::read(&path).map_err(|e| format!("{label} cannot be read: {e}"))?;
            let mut whole = Self::default();
            if whole.table(&bytes, &label)?.is_none() {
                return Err(format!("{label} is there already, but is no such table"));
            }
            (whole.added, whole.repeated) = (0, self.repeated);
            for (row, of) in std::mem::take(&mut self.rows).into_values() {
                whole
                    .take(row, &of)
                    .map_err(|what| format!("{of} {what}"))?;
            }
            self = whole;
        }
        let mut text = format!("{RISK_HEADER}\n").into_bytes();
        for (row, _) in self.rows.values() {
            text.extend_from_slice(row.as_bytes());
            text.push(b'\n');
        }
        let problems = parse_risk_parameters(&text, SHOWN_WHEN_LOADING).problems;
        if let Some(e) = problems.error(Path::new(RISK_PARAMETERS)) {
            return Err(e.message);
        }
        let made = Made {
            path: RISK_PARAMETERS.to_owned(),
            text,
            first: None,
            last: None,
        };
        let rows = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
        Ok(Some((made, [rows, self.added, self.repeated])))
    }
}

/// A number as the table writes it; anything else as it stands.
fn plain(field: &[u8]) -> String {
    let mut out = Vec::new();
    match number::parse(field, 0, 18) {
        Ok(number) => number::write(&mut out, number.mantissa, 18),
        Err(_no_number) => out.extend_from_slice(field),
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A share as the table writes it. A bonus is without the debt; one of 0 is of a reserve that backs nothing.
fn share(name: &str, text: &str, shift: i32) -> Result<String, String> {
    let wrong = |what: &str| format!("`{name}` `{text}` {what}");
    let mut units = number::parse(text.as_bytes(), 0, 0)
        .map_err(|e| wrong(e.what()))?
        .mantissa;
    if name.ends_with("iquidationBonus") && units != 0 {
        units = units
            .checked_sub(WHOLE)
            .filter(|bonus| *bonus >= 0)
            .ok_or_else(|| wrong("is below 10000, which is the debt alone"))?;
    }
    let scaled =
        number::parse(units.to_string().as_bytes(), shift, 18).map_err(|e| wrong(e.what()))?;
    let mut out = Vec::new();
    number::write(&mut out, scaled.mantissa, 18);
    Ok(String::from_utf8_lossy(&out).into_owned())
}
