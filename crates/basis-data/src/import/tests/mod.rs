//! Shapes of files as their sources document them, imported or refused with what to do.

mod merging;
mod refused;
mod taken;

use std::io::Write as _;
use std::path::PathBuf;

use super::*;
use crate::scratch::Scratch;

/// An import into a directory of its own.
struct Desk {
    dir: Scratch,
}

impl Desk {
    fn new() -> Self {
        Self {
            dir: Scratch::new(),
        }
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        self.dir.write(&format!("in/{name}"), bytes)
    }

    fn import(&self, request: ImportRequest<'_>) -> Result<ImportReport, String> {
        let to = self.dir.path().join("out");
        import(&request, &to, &|_, _| {}).map_err(|e| e.message)
    }

    fn read(&self, path: &str) -> String {
        let path = self.dir.path().join("out").join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    fn is_empty(&self) -> bool {
        !self.dir.path().join("out").exists()
    }
}

/// Two days of the chart of lending and borrowing of a pool, as `chartLendBorrow` replies.
const LEND_BORROW: &str = r#"{"status":"success","data":[{"timestamp":"2024-01-01T23:00:00.000Z","totalSupplyUsd":1000,"totalBorrowUsd":400.5,"debtCeilingUsd":null,"apyBase":3.65,"apyReward":null,"apyBaseBorrow":7.3,"apyRewardBorrow":null},{"timestamp":"2024-01-02T23:00:00.000Z","totalSupplyUsd":1100,"totalBorrowUsd":500,"debtCeilingUsd":null,"apyBase":4,"apyReward":null,"apyBaseBorrow":8,"apyRewardBorrow":null}]}"#;

/// What a file is called, how it is imported, and what comes of it.
struct Case<'a> {
    name: &'a str,
    text: &'a str,
    flags: &'a str,
}

/// A request out of words: `format=binance kind=perp symbol=BTCUSDT`.
fn request<'a>(flags: &'a str, files: &'a [PathBuf], symbols: &'a [String]) -> ImportRequest<'a> {
    // As long as the test.
    let formats: &'static [String] = words(flags, "format=").leak();
    let mut request = ImportRequest {
        files,
        symbols,
        formats,
        ..ImportRequest::default()
    };
    if let Some(map) = flags.strip_prefix("map ") {
        request.map = Some(map);
        return request;
    }
    for flag in flags.split_whitespace() {
        let (name, value) = flag.split_once('=').unwrap();
        match name {
            "symbol" | "format" => {}
            "kind" => request.kind = Some(Kind::word(value).unwrap()),
            "venue" => request.venue = Some(value),
            "interval" => request.interval = Some(value),
            "anchor" => request.anchor = Some(Anchor::parse(value).unwrap()),
            "decimals" => request.decimals = Some(value.parse().unwrap()),
            other => panic!("no flag {other}"),
        }
    }
    request
}

fn symbols(flags: &str) -> Vec<String> {
    words(flags, "symbol=")
}

fn words(flags: &str, name: &str) -> Vec<String> {
    let words = flags
        .split_whitespace()
        .filter(|_| !flags.starts_with("map "));
    let symbols = words.filter_map(|flag| flag.strip_prefix(name));
    symbols.map(str::to_owned).collect()
}

impl Case<'_> {
    fn run(&self) -> (Desk, Result<ImportReport, String>) {
        let desk = Desk::new();
        let files = [desk.file(self.name, self.text)];
        let symbols = symbols(self.flags);
        let report = desk.import(request(self.flags, &files, &symbols));
        (desk, report)
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

fn zip_of(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut out = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in entries {
        let options = ::zip::write::SimpleFileOptions::default();
        out.start_file(*name, options).unwrap();
        out.write_all(text.as_bytes()).unwrap();
    }
    out.finish().unwrap().into_inner()
}
