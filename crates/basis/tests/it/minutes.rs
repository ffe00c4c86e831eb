//! The command line on files of minutes.

use basis::data::synthetic::{SyntheticSpec, synthetic};

use crate::files;
use crate::runner::{Scratch, agrees};

#[test]
fn a_backtest_on_minute_files_takes_a_step_a_minute_and_agrees_with_the_auditor() {
    let dir = Scratch::new();
    let hourly = synthetic(&SyntheticSpec {
        bars: 48,
        ..SyntheticSpec::default()
    });
    files::write(&dir.path().join("data"), &files::in_minutes(&hourly));
    assert!(dir.path().join("data/perp/okx/BTCUSDT_1m.csv").is_file());
    let check = dir.basis("data check data");
    assert_eq!(check.code, 0, "{check:?}");
    assert!(check.out.contains("1min"), "{}", check.out);
    for fill_at in ["close", "next_open"] {
        let run = dir.basis(&format!(
            "backtest btc_basis --data data --set data.step_minutes=1 --set fill_at={fill_at} \
             --set utilization_band=0.02 --set equity_deviation=0.0002 --capital 1000000 --out {fill_at}"
        ));
        assert_eq!(run.code, 0, "{run:?}");
        let summary = std::fs::read_to_string(dir.path().join(fill_at).join("summary.json"));
        let summary: serde_json::Value = serde_json::from_str(&summary.unwrap()).unwrap();
        assert_eq!(summary["counts"]["steps"], 48 * 60, "{fill_at}");
        assert!(summary["counts"]["rebalances"].as_u64().unwrap() > 3);
        assert!(summary["gaps"].as_array().unwrap().iter().all(|gap| {
            gap["treatment"] == "unbooked" && gap["series"].as_str().unwrap().contains("funding")
        }));
        agrees(&dir.path().join(fill_at), Some(&dir.path().join("data")));
    }
}
