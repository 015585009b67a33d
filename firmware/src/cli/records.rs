//! `smearscope records`: lists, shows, verifies and exports records.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use smearscope_artifacts::Verdict;
use uuid::Uuid;

use crate::analysis::identity::DEMO_NOTICE;
use crate::cli::args::{FileArgs, StateArgs, storage};
use crate::cli::exit::{Exit, Failure};
use crate::cli::plural::counted;
use crate::config::storage::StorageConfig;
use crate::records::export::Format;
use crate::records::{Archive, Filter, Record, RecordWithCells, RecordsError, Verified, exist};
use crate::report::answer::result_in_words;
use crate::system::sanitize::printable;
use crate::system::time::{time, utc};

/// List, show, verify and export records, also while the appliance runs.
#[derive(Debug, Args)]
pub(crate) struct RecordsArgs {
    #[command(subcommand)]
    command: RecordsCommand,
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Subcommand)]
enum RecordsCommand {
    /// List recorded fields, oldest first.
    #[command(
        after_help = "Example: smearscope records list --since 2026-05-01 --verdict positive --json | jq .id\n\n\
        With --json, each line is an object: the field as it was recorded, with its number in the hash chain \
        (seq), its hash, exported_at and images_removed_at. Without --json, control characters are escaped. Rows \
        that cannot be read are reported and left out; the exit code is then 7."
    )]
    List {
        #[command(flatten)]
        filter: FilterArgs,
        /// Print JSON, one object per line.
        #[arg(long)]
        json: bool,
    },
    /// Show all that is recorded of a field, or of every field of a slide.
    Show {
        /// The id of the field or slide.
        #[arg(value_parser = id)]
        id: Uuid,
        /// Print JSON, one object per line.
        #[arg(long)]
        json: bool,
    },
    /// Verify that no row and no image is damaged, changed or missing, and that no record contradicts itself; exit code 7 if one
    /// does.
    #[command(
        after_help = "Every row and every file is checked; standard error lists all that are damaged. Image files without a \
        record, which a power cut can leave, are listed but no damage.\n\n\
        Each field's count is derived again from its recorded cells, and its verdict from its count or its log-odds by the \
        recorded rule. What does not follow is listed as contradictory (\"part\": \"contradiction\"). Earlier versions did \
        not record all that this takes.\n\n\
        Rows about images that retention removed are trusted: a program with write access could add such \
        rows to hide the removal of other images. Compare the number of removed images with what you expect, \
        above all that of fields that were never exported.\n\n\
        The last line is the head, the hash of the last row. Store it elsewhere: a program with write access \
        could recompute the whole hash chain or cut off its end, and only an earlier head reveals that. \
        Example: smearscope records verify --expect-head \"$(cat head-of-yesterday)\""
    )]
    Verify {
        /// Require that the chain contains a row with this hash: an earlier head.
        #[arg(long, value_name = "HASH", value_parser = hash)]
        expect_head: Option<String>,
        /// Record the result in the state folder, for the API, the metrics and the screen.
        #[arg(long)]
        record_result: bool,
        /// Print the result as a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Export records; zip includes images and marks them as exported.
    #[command(
        after_help = "Example: smearscope records export --format zip --out slides.zip --since 2026-05-01\n\n\
        Only the file's owner can read it (mode 0600), and it appears under its name when it is complete. In CSV, \
        text that a spreadsheet would evaluate as a formula starts with an apostrophe, and control characters are \
        escaped; JSON has the text as it was recorded. Records that cannot be read are reported and left out; the \
        exit code is then 7."
    )]
    Export {
        #[command(flatten)]
        filter: FilterArgs,
        /// Format of the export.
        #[arg(long)]
        format: Format,
        /// File to write [default: standard output; a ZIP archive needs a file].
        #[arg(long, value_name = "FILE", required_if_eq("format", "zip"))]
        out: Option<PathBuf>,
    },
}

/// Which fields to list or export.
#[derive(Debug, Args)]
struct FilterArgs {
    /// Fields from this time on: 2026-05-01 (midnight, local time) or 2026-05-01T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Fields before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Fields of this slide.
    #[arg(long, value_name = "ID", value_parser = id)]
    slide: Option<Uuid>,
    /// Fields with this verdict.
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

/// Parses the id of a field or slide.
fn id(text: &str) -> Result<Uuid, &'static str> {
    text.parse()
        .map_err(|_| "not the id of a field or slide; `smearscope records list` shows the ids")
}

/// Parses a SHA-256.
fn hash(text: &str) -> Result<String, &'static str> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash
        .then(|| text.to_ascii_lowercase())
        .ok_or("a head has 64 hexadecimal digits")
}

impl RecordsArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let storage = storage(&self.file, &self.state)?;
        Ok(self.command.run(&storage)?)
    }
}

impl RecordsCommand {
    fn run(self, storage: &StorageConfig) -> Result<Exit> {
        let mut stdout = BufWriter::new(io::stdout().lock());
        let archive = || Archive::open(&storage.state);
        if let Self::Verify {
            record_result: true,
            ..
        } = self
            && !exist(&storage.state)
        {
            writeln!(stdout, "{} has no records", storage.state.display())?;
            return Ok(stdout.flush().map(|()| Exit::Success)?);
        }
        let exit = match self {
            Self::List { filter, json } => {
                let (archive, filter) = (archive()?, filter.filter());
                let unreadable = archive.readable(&filter, |record| {
                    if json {
                        Ok(writeln!(stdout, "{}", serde_json::to_string(&record)?)?)
                    } else {
                        line(&record, &mut stdout)
                    }
                })?;
                report(&unreadable)?
            }
            Self::Show { id, json } => show(&archive()?, id, json, &mut stdout)?,
            Self::Verify {
                expect_head,
                record_result,
                json,
            } => {
                let verified = verify(&storage.state, expect_head.as_deref())?;
                if json {
                    writeln!(stdout, "{}", serde_json::to_string(&verified)?)?;
                } else {
                    print(&verified, &mut stdout)?;
                }
                stdout.flush()?;
                if record_result {
                    verified.record(&storage.state)?;
                }
                report_damages(&verified)?
            }
            Self::Export {
                filter,
                format,
                out,
            } => {
                let (archive, filter) = (archive()?, filter.filter());
                if let Some(path) = &out {
                    archive.refuse_without_room(&filter, path, format, storage.min_free)?;
                }
                export(&archive, &filter, format, out, &mut stdout)?
            }
        };
        stdout.flush()?;
        Ok(exit)
    }
}

/// Reports on standard error what was left out.
fn report(problems: &[String]) -> Result<Exit> {
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

/// Verifies the records, with a progress bar on terminals.
fn verify(state: &Path, expected_head: Option<&str>) -> Result<Verified> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style);
    let verified = Verified::of(state, expected_head, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    Ok(verified?)
}

fn print(verified: &Verified, mut out: impl Write) -> Result<()> {
    writeln!(
        out,
        "{} and {} are unchanged",
        counted(verified.rows, "row"),
        counted(verified.images, "image")
    )?;
    writeln!(
        out,
        "retention removed {} of {}; image files without a record: {}",
        counted(verified.removed_images, "image"),
        counted(verified.removed, "field"),
        verified.orphans.len()
    )?;
    for orphan in &verified.orphans {
        writeln!(out, "without a record: {}", printable(orphan))?;
    }
    if let Some(last) = &verified.last_removal {
        writeln!(
            out,
            "never exported of these: {}; last removal: {last}",
            counted(verified.removed_unexported, "field")
        )?;
    }
    // The head of a damaged chain proves nothing.
    if verified.damages.is_empty() {
        writeln!(out, "head {}", verified.head)?;
    }
    Ok(())
}

/// Reports damages on standard error.
fn report_damages(verified: &Verified) -> Result<Exit> {
    let mut stderr = io::stderr();
    for damage in &verified.damages {
        let word = damage.part.word();
        writeln!(stderr, "{word}: {}", printable(&damage.problem))?;
    }
    if verified.damages.is_empty() {
        return Ok(Exit::Success);
    }
    writeln!(
        stderr,
        "{} found; copy the state folder before anything else, and keep the copy for an investigation; `smearscope records \
         list` and `export` read what is not damaged",
        counted(verified.damages.len() as u64, "damage")
    )?;
    Ok(Exit::Mismatch)
}

/// Writes a line such as `2026-05-01T08:00:00.000Z  0197…  Positive      p = 0.973  slide 3  field01.jpg`.
fn line(record: &Record, mut out: impl Write) -> Result<()> {
    let field = &record.field;
    let result = result_in_words(field.probability, field.count.as_ref());
    let removed = record
        .images_removed_at
        .as_ref()
        .map_or("", |_| "  (images removed)");
    let clock = field.clock.filter(|clock| clock.is_wrong());
    let clock = clock.map_or_else(String::new, |clock| format!("  ({})", clock.words()));
    let demo = if field.model.demo {
        format!("  ({DEMO_NOTICE})")
    } else {
        String::new()
    };
    let line = format!(
        "{}  {}  {:12}  {result:9}  slide {}  {}{clock}{removed}{demo}",
        field.captured_at, field.id, field.verdict, field.slide, field.source,
    );
    writeln!(out, "{}", printable(&line))?;
    Ok(())
}

fn show(archive: &Archive, id: Uuid, json: bool, mut out: impl Write) -> Result<Exit> {
    let mut count = 0;
    let (mut unreadable, mut damaged) = (Vec::new(), Vec::new());
    for filter in [Filter::of_field(id), Filter::of_slide(id)] {
        unreadable = archive.readable(&filter, |record| {
            count += 1;
            let record = archive.with_readable_cells(record, &mut damaged);
            if json {
                writeln!(out, "{}", serde_json::to_string(&record)?)?;
            } else {
                writeln!(out, "{}", toml::to_string(&without_nulls(&record)?)?)?;
            }
            anyhow::Ok(())
        })?;
    }
    unreadable.append(&mut damaged);
    if count == 0 && unreadable.is_empty() {
        return Err(RecordsError::Unknown {
            folder: archive.folder().into(),
            id: id.to_string(),
        }
        .into());
    }
    report(&unreadable)
}

/// A record as it can be printed in TOML, which has no nulls.
fn without_nulls(record: &RecordWithCells) -> Result<serde_json::Value> {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                map.retain(|_, value| !value.is_null());
                map.values_mut().for_each(strip);
            }
            serde_json::Value::Array(values) => values.iter_mut().for_each(strip),
            serde_json::Value::String(text) => *text = printable(text).into_owned(),
            _ => {}
        }
    }
    // Through text, because a JSON value would show 32-bit numbers with the digits of 64-bit ones.
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
    let Some(path) = out else {
        return match format {
            Format::Csv => report(&archive.write_csv(filter, stdout)?),
            Format::Json => report(&archive.write_json(filter, stdout)?),
            Format::Zip => anyhow::bail!("a ZIP archive needs a file; name one with --out"),
        };
    };
    let exported = archive.export(filter, format, &path)?;
    if format == Format::Zip {
        writeln!(
            io::stderr(),
            "{}: {}, with all their images: {}",
            printable(&path.to_string_lossy()),
            counted(exported.fields, "field"),
            exported.whole.len()
        )?;
    }
    if exported.is_unmarked {
        let note = "the fields are not marked as exported because the records cannot be written";
        writeln!(io::stderr(), "{note}")?;
    }
    report(&[exported.unreadable, exported.damaged].concat())
}
