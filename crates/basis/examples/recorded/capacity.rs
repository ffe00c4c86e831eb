//! What is left of the carry as the capital grows, by how hard trades move the market.

use std::path::Path;

use basis::core::error::ComponentError;

use crate::figures::{Figures, entry_hours, markdown, or_dash, percent};
use crate::market::{Market, Mode, Range};
use crate::runs::{lending, lent};

/// Capital, millions of USD.
const MILLIONS: [f64; 8] = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
/// Y of the impact Y × σ × √(order ÷ volume).
const IMPACTS: [&str; 3] = ["0.5", "1", "2"];
/// ETH for modes in ETH, at about what it cost when their data begins.
const ETH_USD: f64 = 3_000.0;

const HEADS: [&str; 8] = [
    "mode",
    "capital, M USD",
    "Y",
    "net carry a year",
    "lending, whole span",
    "exit cost",
    "hours to enter",
    "hours to leave",
];

pub(crate) fn table(data: &Path, modes: &[&'static Mode]) -> Result<String, ComponentError> {
    let lending = lending(data)?;
    let mut rows = Vec::new();
    let mut halves = Vec::new();
    for mode in modes {
        let market = Market::load(data, mode)?;
        let range = mode.whole()?;
        // What trades on no exchange is not moved by Y; its pools have their own impact.
        let exchanges = basis::stress::scenarios::exchanges(&market.setup(range, &[])?);
        let impacts = if exchanges.is_empty() {
            &["1"]
        } else {
            IMPACTS.as_slice()
        };
        for impact in impacts {
            let mut curve = Vec::new();
            for millions in MILLIONS {
                let (cells, net) = one(&market, &lending, range, (millions, impact))?;
                rows.push(cells);
                curve.extend(net.map(|net| (millions, net)));
            }
            let name = format!("`{}`", mode.name);
            halves.push(vec![name, (*impact).to_owned(), half(&curve)]);
        }
    }
    let halved = markdown(
        &["mode", "Y", "capital at half of the carry, M USD"],
        &halves,
    );
    Ok(format!("{}\n{halved}", markdown(&HEADS, &rows)))
}

/// A line, and the net carry where the run was made.
fn one(
    market: &Market,
    lending: &Market,
    range: Range,
    (millions, impact): (f64, &str),
) -> Result<(Vec<String>, Option<f64>), ComponentError> {
    let setup = market.setup(range, &[])?;
    let in_kind = setup.run().is_in_kind();
    let usd = millions * 1e6;
    let capital = if in_kind { usd / ETH_USD } else { usd };
    let mut sets = vec![format!("initial_capital={capital:.2}")];
    // Beyond the default bound too: how long it takes is what is asked.
    sets.push("entry_time_max_hours=8760".to_owned());
    for exchange in basis::stress::scenarios::exchanges(&setup) {
        sets.push(format!("venue_settings.{exchange}.slippage=sqrt_impact"));
        sets.push(format!("venue_settings.{exchange}.impact={impact}"));
    }
    let name = format!("`{}`", market.mode.name);
    let mut cells = vec![name, millions.to_string(), impact.to_owned()];
    match market.run(range, &sets) {
        Err(e) => {
            cells.push(format!("refused, {}", e.code));
            cells.extend(std::iter::repeat_n("-".to_owned(), HEADS.len() - 4));
            Ok((cells, None))
        }
        Ok(run) => {
            let own = Figures::of(&run);
            let halted = if run.halted.is_some() { ", halted" } else { "" };
            let is_hedged = !setup.mode().trades().perps.is_empty();
            cells.extend([
                format!("{}{halted}", percent(own.net_carry)),
                percent(lent(lending, range, usd)?),
                percent(own.exit_cost),
                or_dash(entry_hours(&run).filter(|_| is_hedged), 0),
                or_dash(own.exit_hours, 1),
            ]);
            Ok((cells, Some(own.net_carry)))
        }
    }
}

/// Where the curve falls to half of its first value, between two capitals in proportion to their logarithms.
fn half(curve: &[(f64, f64)]) -> String {
    let Some((_, first)) = curve.first().filter(|(_, net)| *net > 0.0) else {
        return "-".to_owned();
    };
    let wanted = first / 2.0;
    let pairs = curve.iter().zip(curve.iter().skip(1));
    for ((small, above), (large, below)) in pairs {
        if *above >= wanted && *below < wanted {
            let part = (above - wanted) / (above - below);
            return format!("{:.1}", small * (large / small).powf(part));
        }
    }
    let most = curve.last().map_or(0.0, |(most, _)| *most);
    format!("above {most}")
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn half_of_the_carry_lies_between_two_capitals() {
        assert_eq!(half(&[(1.0, 0.06), (10.0, 0.04), (100.0, 0.02)]), "31.6");
        assert_eq!(half(&[(1.0, 0.06), (10.0, 0.05)]), "above 10");
        assert_eq!(half(&[(1.0, -0.01), (10.0, -0.02)]), "-");
    }
}
