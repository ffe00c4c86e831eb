//! Opens files to import: as they are, gzip, or the entries of a zip archive.

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::Path;

use basis_core::error::{Code, ComponentError};

use crate::csv::read;

/// The most that one compressed file may unpack to.
const UNPACKED_MAX: u64 = 4 << 30;

/// First bytes of files that are not taken apart here, and what to do with them.
const FOREIGN: [(&[u8], &str); 12] = [
    (b"BZh", "is packed with bzip2; unpack it first (bunzip2)"),
    (b"\xFD7zXZ\0", "is packed with xz; unpack it first (unxz)"),
    (
        b"\x28\xB5\x2F\xFD",
        "is packed with zstd; unpack it first (unzstd)",
    ),
    (b"7z\xBC\xAF\x27\x1C", "is a 7z archive; unpack it first"),
    (b"Rar!", "is a RAR archive; unpack it first"),
    (b"\xFF\xFE", "is UTF-16; save it as UTF-8 text"),
    (b"\xFE\xFF", "is UTF-16; save it as UTF-8 text"),
    (
        b"ARROW1",
        "is Feather; save the frame as Parquet or CSV and name its columns with --map",
    ),
    (
        b"FEA1",
        "is Feather; save the frame as Parquet or CSV and name its columns with --map",
    ),
    (
        b"\x89HDF",
        "is HDF5; save the frame as Parquet or CSV and name its columns with --map",
    ),
    (
        b"\x80\x04\x95",
        "is a pickle of Python; save the frame as Parquet or CSV and name its columns with --map",
    ),
    (
        b"SQLite format 3\0",
        "is a database; export the table as CSV",
    ),
];

/// One piece of text to import.
#[derive(Debug)]
pub(super) struct Part {
    /// The file, or archive and entry: `a.zip:b.csv`.
    pub(super) label: String,
    /// The name that symbol and interval are read from, without `.gz`.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl Part {
    /// Whether it is a Parquet file, by its first bytes.
    pub(super) fn is_parquet(&self) -> bool {
        self.bytes.starts_with(b"PAR1")
    }
}

/// The parts of a file; entries of an archive in the order of their names.
///
/// # Errors
/// `DATA-001` for a file that cannot be read, `DATA-002` for one that cannot be unpacked or is empty.
pub(super) fn open(path: &Path) -> Result<Vec<Part>, ComponentError> {
    let label = path.display().to_string();
    if fs::metadata(path).is_ok_and(|found| found.is_dir()) {
        let message = format!("{label} is a directory; name the files to import");
        return Err(ComponentError::new(Code::DataMissing, message));
    }
    let bytes = read(path)?;
    let name = path.file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let parts = match bytes.as_slice() {
        [0x1f, 0x8b, ..] => vec![gunzip(&label, &name, &bytes)?],
        [b'P', b'K', 3 | 5, 4 | 6, ..] => unzip(&label, bytes)?,
        _ => vec![Part { label, name, bytes }],
    };
    for part in &parts {
        if let Some((_, what)) = FOREIGN
            .iter()
            .find(|(magic, _)| part.bytes.starts_with(magic))
        {
            return Err(refused(&part.label, what));
        }
        if part.is_parquet() && part.label != path.display().to_string() {
            return Err(refused(
                &part.label,
                "is Parquet within an archive; unpack it first",
            ));
        }
        if part.bytes.trim_ascii().is_empty() {
            return Err(refused(&part.label, "is empty; download it again"));
        }
        if part.bytes.trim_ascii_start().starts_with(b"<") {
            let what = "is a page of HTML or XML, not data: the download answered with an error";
            return Err(refused(&part.label, what));
        }
    }
    Ok(parts)
}

fn gunzip(label: &str, name: &str, bytes: &[u8]) -> Result<Part, ComponentError> {
    Ok(Part {
        label: label.to_owned(),
        name: name.strip_suffix(".gz").unwrap_or(name).to_owned(),
        bytes: unpacked(label, flate2::read::MultiGzDecoder::new(bytes))?,
    })
}

fn unzip(label: &str, bytes: Vec<u8>) -> Result<Vec<Part>, ComponentError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| broken(label, &e))?;
    let mut parts = Vec::with_capacity(archive.len());
    for at in 0..archive.len() {
        let entry = archive.by_index(at).map_err(|e| broken(label, &e))?;
        let path = entry.name().map_err(|e| broken(label, &e))?.into_owned();
        if entry.is_dir() || path.starts_with("__MACOSX/") {
            continue;
        }
        let text = unpacked(label, entry)?;
        let label = format!("{label}:{path}");
        if path.ends_with(".xml") || path.ends_with(".rels") {
            return Err(refused(
                &label,
                "is part of a workbook; save the sheet as CSV",
            ));
        }
        let name = path.rsplit('/').next().unwrap_or(&path);
        parts.push(match text.as_slice() {
            [0x1f, 0x8b, ..] => gunzip(&label, name, &text)?,
            _ => Part {
                label,
                name: name.to_owned(),
                bytes: text,
            },
        });
    }
    if parts.is_empty() {
        return Err(refused(label, "is an archive without a file"));
    }
    parts.sort_by(|a, b| a.label.cmp(&b.label));
    Ok(parts)
}

fn unpacked(label: &str, packed: impl std::io::Read) -> Result<Vec<u8>, ComponentError> {
    let mut text = Vec::new();
    let mut packed = packed.take(UNPACKED_MAX + 1);
    packed
        .read_to_end(&mut text)
        .map_err(|e| broken(label, &e))?;
    if packed.limit() == 0 {
        return Err(refused(label, "unpacks to more than 4 GiB; split it"));
    }
    Ok(text)
}

fn broken(label: &str, e: &dyn std::fmt::Display) -> ComponentError {
    let what = format!("cannot be unpacked: {e}; is the download complete?");
    refused(label, &what)
}

pub(super) fn refused(label: &str, what: &str) -> ComponentError {
    ComponentError::new(Code::DataMalformed, format!("{label} {what}"))
}
