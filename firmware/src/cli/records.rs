//! `smearscope records`: looking at records, proving and exporting them.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use smearscope_artifacts::Verdict;
use uuid::Uuid;

use crate::records::Archive;
use crate::system::time::time;

use crate::records::Filter;

use crate::records::Record;

use crate::records::RecordsError;

use crate::records::export;

use crate::cli::exit::Exit;
use crate::system::sanitize::printable;
use crate::system::time::utc;

/// What to do with records.
#[derive(Debug, Subcommand)]
pub(crate) enum RecordsCommand {
    /// Lists recorded fields, oldest first.
    #[command(
        after_help = "Example: smearscope records list --since 2026-05-01 --verdict positive --json | jq .id\n\n\
        With --json, each line is an object: the field as it was recorded, with its place in the chain (seq), \
        its hash, exported_at and images_removed_at. Otherwise control characters are shown as escapes. Rows that \
        cannot be read are named and left out, with exit code 7."
    )]
    List {
        #[command(flatten)]
        filter: FilterArgs,
        /// Print JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Shows a field, or every field of a slide, with all that is known of it.
    Show {
        /// The field's or the slide's id.
        id: Uuid,
        /// Print JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Checks that no row and no image was changed since it was written; exit code 7 if one was.
    #[command(
        after_help = "Images that retention removed are counted as its rows say: whoever may write to the records could add \
        such rows for images of their own choice, so compare the count with what you expect, above all that of fields that \
        were never exported. The last line names the head, the hash of the last row. Keep it elsewhere: somebody who may write \
        to the records could make the whole chain of hashes anew, or cut off its end, and only an earlier head shows that. \
        Example: smearscope records verify --expect-head \"$(cat head-of-yesterday)\""
    )]
    Verify {
        /// Demand that the chain contains a row with this hash: an earlier head.
        #[arg(long, value_name = "HASH", value_parser = hash)]
        expect_head: Option<String>,
    },
    /// Takes records elsewhere; with `zip`, which has the images, it is noted what was exported.
    #[command(
        after_help = "Example: smearscope records export --format zip --out slides.zip --since 2026-05-01\n\n\
        A file is made for its owner alone (mode 0600), and has its name only once it is whole. In a table, text that a \
        spreadsheet would take for a formula begins with an apostrophe, and control characters are written as escapes; \
        JSON has the text as it was recorded. What cannot be read is named and left out, with exit code 7."
    )]
    Export {
        #[command(flatten)]
        filter: FilterArgs,
        /// What to write.
        #[arg(long)]
        format: Format,
        /// File to write [default: standard output; a ZIP archive needs a file].
        #[arg(long, value_name = "FILE", required_if_eq("format", "zip"))]
        out: Option<PathBuf>,
    },
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table.
    Csv,
    /// An object a line.
    Json,
    /// Both, and the images.
    Zip,
}

/// Which fields are meant.
#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// From this time on: 2026-05-01 (midnight here) or 2026-05-01T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Those of this slide.
    #[arg(long, value_name = "ID")]
    slide: Option<Uuid>,
    /// Those with this verdict.
    #[arg(long)]
    verdict: Option<Verdict>,
}

impl FilterArgs {
    fn filter(self) -> Filter {
        Filter {
            since: self.since.map(utc),
            until: self.until.map(utc),
            slide: self.slide,
            field: None,
            verdict: self.verdict,
        }
    }
}

/// SHA-256 as it is printed.
fn hash(text: &str) -> Result<String, &'static str> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash
        .then(|| text.to_ascii_lowercase())
        .ok_or("a head has 64 hexadecimal digits")
}

impl RecordsCommand {
    /// Does it with the records in a state folder.
    ///
    /// An export onto their own disk must leave `least` bytes free there.
    pub(crate) fn run(self, state: &Path, least: u64) -> Result<Exit> {
        let archive = Archive::open(state)?;
        let mut stdout = BufWriter::new(io::stdout().lock());
        let exit = match self {
            Self::List { filter, json } => {
                let filter = filter.filter();
                let unreadable = if json {
                    archive.write_json(&filter, &mut stdout)?
                } else {
                    archive.readable(&filter, |record| line(&record, &mut stdout))?
                };
                told(&unreadable)?
            }
            Self::Show { id, json } => show(&archive, id, json, &mut stdout)?,
            Self::Verify { expect_head } => {
                let verified = archive.verify(expect_head.as_deref())?;
                writeln!(
                    stdout,
                    "{} rows and {} images are as they were written",
                    verified.rows, verified.images
                )?;
                writeln!(
                    stdout,
                    "{} images of {} fields were removed by retention; {} image files have no record",
                    verified.removed_images, verified.removed, verified.unrecorded
                )?;
                if let Some(last) = verified.last_removal {
                    writeln!(
                        stdout,
                        "{} of these fields were never exported; the last removal was at {last}",
                        verified.removed_unexported
                    )?;
                }
                writeln!(stdout, "head {}", verified.head)?;
                Exit::Success
            }
            Self::Export {
                filter,
                format,
                out,
            } => {
                let filter = filter.filter();
                if let Some(path) = &out {
                    archive.refuse_without_room(&filter, path, format == Format::Zip, least)?;
                }
                export(&archive, &filter, format, out, &mut stdout)?
            }
        };
        stdout.flush()?;
        Ok(exit)
    }
}

/// Tells what is not in what was printed.
fn told(problems: &[String]) -> Result<Exit> {
    let mut stderr = io::stderr();
    for problem in problems {
        writeln!(stderr, "left out: {}", printable(problem))?;
    }
    Ok(if problems.is_empty() {
        Exit::Success
    } else {
        Exit::Mismatch
    })
}

/// `2026-05-01T08:00:00.000Z  0197…  Positive      p = 0.973  slide 3, field 1  field01.jpg`
fn line(record: &Record, mut out: impl Write) -> Result<()> {
    let field = &record.field;
    let probability = field
        .probability
        .map_or_else(|| "-".into(), |probability| format!("{probability:.3}"));
    let removed = record
        .images_removed_at
        .as_ref()
        .map_or("", |_| "  (images removed)");
    let line = format!(
        "{}  {}  {:12}  p = {probability:5}  slide {}  {}{removed}",
        field.captured_at, field.id, field.verdict, field.slide, field.source,
    );
    writeln!(out, "{}", printable(&line))?;
    Ok(())
}

fn show(archive: &Archive, id: Uuid, json: bool, mut out: impl Write) -> Result<Exit> {
    let mut count = 0;
    let mut unreadable = Vec::new();
    for filter in [
        Filter {
            field: Some(id),
            ..Filter::default()
        },
        Filter {
            slide: Some(id),
            ..Filter::default()
        },
    ] {
        unreadable = archive.readable(&filter, |record| {
            count += 1;
            if json {
                writeln!(out, "{}", serde_json::to_string(&record)?)?;
            } else {
                writeln!(out, "{}", toml::to_string(&without_nulls(&record)?)?)?;
            }
            anyhow::Ok(())
        })?;
    }
    if count == 0 && unreadable.is_empty() {
        return Err(RecordsError::Unknown {
            folder: archive.folder().into(),
            id: id.to_string(),
        }
        .into());
    }
    told(&unreadable)
}

/// TOML, which people read more easily, has no nulls, and is printed.
fn without_nulls(record: &Record) -> Result<serde_json::Value> {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                map.retain(|_, value| !value.is_null());
                map.values_mut().for_each(strip);
            }
            serde_json::Value::String(text) => *text = printable(text).into_owned(),
            _ => {}
        }
    }
    // As text first: a value would have the digits that 32-bit numbers get with 64 bits.
    let mut value = serde_json::from_str(&serde_json::to_string(record)?)?;
    strip(&mut value);
    Ok(value)
}

fn export(
    archive: &Archive,
    filter: &Filter,
    format: Format,
    out: Option<PathBuf>,
    stdout: impl Write,
) -> Result<Exit> {
    let exported = match (format, out) {
        (Format::Csv, None) => return told(&archive.write_csv(filter, stdout)?),
        (Format::Json, None) => return told(&archive.write_json(filter, stdout)?),
        (Format::Zip, None) => anyhow::bail!("a ZIP archive needs a file; name one with --out"),
        (Format::Csv, Some(path)) => {
            return told(&export::to_file(&path, |file| {
                archive.write_csv(filter, BufWriter::new(file))
            })?);
        }
        (Format::Json, Some(path)) => {
            return told(&export::to_file(&path, |file| {
                archive.write_json(filter, BufWriter::new(file))
            })?);
        }
        (Format::Zip, Some(path)) => {
            let exported = archive.export_zip(filter, &path)?;
            writeln!(
                io::stderr(),
                "{}: {} fields, {} of them with their images",
                printable(&path.to_string_lossy()),
                exported.fields,
                exported.whole.len()
            )?;
            if exported.is_unnoted {
                let note = "it is not noted that they were exported: nothing can be written to the records";
                writeln!(io::stderr(), "{note}")?;
            }
            exported
        }
    };
    told(&[exported.unreadable, exported.damaged].concat())
}
