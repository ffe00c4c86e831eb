//! A shape bound to the columns of one file: which field of a row is what.

use super::map::{Mapping, SymbolFrom, ValueFrom};
use super::number;
use super::time::TimeForm;

/// One column of ours.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) column: &'static str,
    pub(super) decimals: u8,
    pub(super) from: CellFrom,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum CellFrom {
    Field {
        at: usize,
        shift: i32,
    },
    Constant(i128),
    /// Base fee and priority fee together.
    GasPrice,
}

/// Which field of a row is what.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) time: Vec<usize>,
    pub(super) time_form: TimeForm,
    pub(super) symbol: Option<usize>,
    pub(super) confirm: Option<(usize, Vec<u8>)>,
    pub(super) closes: Option<usize>,
    pub(super) cells: Vec<Cell>,
    /// How many fields a row has.
    pub(super) width: usize,
}

impl Bound {
    /// Binds `map` to a file whose columns are `names`; `columns` are ours.
    ///
    /// # Errors
    /// A column that is missing from the file or from the map.
    pub(super) fn new(
        map: &Mapping,
        names: &[&str],
        columns: &[(&'static str, u8)],
    ) -> Result<Self, String> {
        let find = |name: &str| {
            let at = names.iter().position(|known| *known == name);
            at.ok_or_else(|| format!("has no column `{name}`; it has {}", names.join(", ")))
        };
        if map.time.is_empty() {
            return Err("cannot be read: the map names no timestamp".to_owned());
        }
        for (name, _) in &map.values {
            if !columns.iter().any(|(known, _)| known == name) {
                let known: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
                return Err(format!(
                    "cannot be read: the map sets `{name}`, which is none of {}",
                    known.join(", ")
                ));
            }
        }
        let mut cells = Vec::with_capacity(columns.len());
        for (column, decimals) in columns {
            let value = map.values.iter().find(|(name, _)| name == column);
            let from = match value.map(|(_, value)| value) {
                Some(ValueFrom::Column { name, shift }) => CellFrom::Field {
                    at: find(name)?,
                    shift: *shift,
                },
                Some(ValueFrom::Constant(text)) => {
                    let number = number::parse(text.as_bytes(), 0, *decimals);
                    CellFrom::Constant(
                        number
                            .map_err(|e| {
                                format!("cannot be read: const:{text} of `{column}` {}", e.what())
                            })?
                            .mantissa,
                    )
                }
                None if *column == "gas_price_gwei" => CellFrom::GasPrice,
                None => {
                    return Err(format!(
                        "cannot be read: the map says nothing of `{column}`"
                    ));
                }
            };
            cells.push(Cell {
                column,
                decimals: *decimals,
                from,
            });
        }
        let symbol = match &map.symbol {
            Some(SymbolFrom::Column(name)) => Some(find(name)?),
            _ => None,
        };
        let confirm = match &map.confirm {
            Some((name, wanted)) => Some((find(name)?, wanted.clone().into_bytes())),
            None => None,
        };
        Ok(Self {
            time: map
                .time
                .iter()
                .map(|name| find(name))
                .collect::<Result<_, _>>()?,
            time_form: map.time_form,
            symbol,
            confirm,
            closes: map.closes.as_deref().map(find).transpose()?,
            cells,
            width: names.len(),
        })
    }
}
