//! Questions to records with many cells: those whose answers have no cells cost what they cost without any.
//!
//! `scripts/bench records` measures their time.

use std::fs;
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use smearscope_artifacts::{CellCall, CellFigures};
use tempfile::TempDir;
use uuid::Uuid;

use crate::analysis::analyst::Analysis;
use crate::analysis::examples::{COUNT, counted};
use crate::records::archive::Archive;
use crate::records::cells_entry::{CellEntry, CountEntry};
use crate::records::chain;
use crate::records::error::RecordsError;
use crate::records::filter::{Filter, Page};
use crate::records::layout::database;
use crate::records::outbox::Outbox;
use crate::records::store::Store;
use crate::records::testing::Records;

/// Number of fields of the measurement without `SMEARSCOPE_FIELDS`, and of the test.
const MEASURED_FIELDS: u32 = 10_000;
const TESTED_FIELDS: u32 = 60;
const FIELDS_OF_A_SLIDE: u32 = 20;
const CELLS_OF_A_FIELD: usize = 100;
/// Times that a question is asked in the measurement; the shortest time counts.
const RUNS: u32 = 3;
const KIB_PER_MIB: f64 = 1024.0;
const BYTES_PER_MIB: f64 = 1024.0 * 1024.0;

/// The cells of a field, with as many classes and figures as those of a real one.
fn cells_of_a_field() -> Vec<CellEntry> {
    let figures = CellFigures {
        nucleus_um: 8.412_356,
        cell_um: 11.203_948,
        nucleus_to_cell: 0.750_838_2,
        roundness: 0.812_763_5,
        solidity: 0.931_274_4,
        parts: 1,
        density: 0.412_938_6,
        variation: 0.183_726_4,
        texture: 0.092_837_5,
        cytoplasm: 0.382_917_3,
    };
    let further_classes = [
        "lymphocyte",
        "reactive_lymphocyte",
        "monocyte",
        "eosinophil",
        "basophil",
        "artefact",
    ];
    let mut cells = CellEntry::of(analysis().cells().unwrap());
    for cell in &mut cells {
        cell.figures = Some(figures);
        let probabilities = further_classes.map(|class| (class.to_owned(), 0.001_273_641));
        cell.probabilities.extend(probabilities);
    }
    cells
}

fn analysis() -> Analysis {
    counted(&[CellCall::OtherLeukocyte; CELLS_OF_A_FIELD])
}

/// Records whose fields all have a count.
struct Scene {
    folder: TempDir,
    /// Row of the last field before the last page.
    before_last_page: i64,
    last_slide: Uuid,
    last_field: Uuid,
}

impl Scene {
    /// Records so many fields, with their cells if `has_cells`.
    fn new(fields: u32, has_cells: bool) -> Self {
        let (analysis, cells) = (analysis(), cells_of_a_field());
        let cells = has_cells.then_some(&*cells);
        let count = analysis.count().map(CountEntry::new);
        let mut records = Records::new();
        let mut last_field = Uuid::nil();
        for field in 0..fields {
            if field > 0 && field % FIELDS_OF_A_SLIDE == 0 {
                records.next_slide(1);
            }
            let put = records.put_changed(1, cells, |entry| {
                (entry.threshold, entry.probability, entry.log_odds) = (None, None, None);
                entry.verdict = analysis.judgement.verdict();
                entry.count_rule = Some((&COUNT).into());
                entry.count.clone_from(&count);
                entry.standing.verdict = entry.verdict;
                entry.standing.count.clone_from(&count);
            });
            last_field = put.unwrap();
        }
        let rows_of_a_page = i64::from(FIELDS_OF_A_SLIDE) * if has_cells { 2 } else { 1 };
        let last = chain::head(records.archive().connection())
            .unwrap()
            .unwrap();
        Self {
            before_last_page: last.seq - rows_of_a_page,
            last_slide: records.slide_id(),
            last_field,
            folder: records.close(),
        }
    }

    fn archive(&self) -> Archive {
        Archive::open(self.folder.path()).unwrap()
    }

    fn fields(&self, cursor: Option<i64>, filter: &Filter) {
        let page = Page {
            cursor,
            limit: Some(FIELDS_OF_A_SLIDE),
        };
        let mut count = 0;
        let each = |record| {
            black_box(record);
            count += 1;
            Ok::<_, RecordsError>(())
        };
        self.archive().fields_on(&page, filter, each).unwrap();
        assert_ne!(count, 0);
    }

    fn slides(&self, page: &Page) {
        let slides = self.archive().slides_on(page, &Filter::default());
        assert_ne!(slides.unwrap().len(), 0);
    }

    /// Size of the database, bytes.
    fn size(&self) -> u64 {
        database(self.folder.path()).metadata().unwrap().len()
    }
}

type Question = (&'static str, fn(&Scene));

/// Those whose answers have no cells.
const WITHOUT_CELLS: [Question; 9] = [
    ("start: open for writing, next slide number", |scene| {
        let store = Store::open(scene.folder.path().into()).unwrap();
        black_box(store.next_slide_number().unwrap());
    }),
    ("a new destination of verdicts", |scene| {
        let folder = scene.folder.path().into();
        let mut outbox = Outbox::new(folder, "a broker".into());
        black_box(outbox.delivered().unwrap());
    }),
    ("first page of fields", |scene| {
        scene.fields(None, &Filter::default());
    }),
    ("last page of fields", |scene| {
        scene.fields(Some(scene.before_last_page), &Filter::default());
    }),
    ("fields of the last slide", |scene| {
        scene.fields(None, &Filter::of_slide(scene.last_slide));
    }),
    ("the last field, without its cells", |scene| {
        scene.fields(None, &Filter::of_field(scene.last_field));
    }),
    ("first page of slides", |scene| {
        let limit = Some(FIELDS_OF_A_SLIDE);
        let cursor = None;
        scene.slides(&Page { cursor, limit });
    }),
    ("all slides", |scene| scene.slides(&Page::default())),
    ("export as CSV", |scene| {
        let unreadable = scene.archive().write_csv(&Filter::default(), io::sink());
        assert_eq!(unreadable.unwrap(), [""; 0]);
    }),
];

/// Those that take every cell.
const WITH_CELLS: [Question; 2] = [
    ("export as JSON", |scene| {
        let unreadable = scene.archive().write_json(&Filter::default(), io::sink());
        assert_eq!(unreadable.unwrap(), [""; 0]);
    }),
    ("verify", |scene| {
        let verified = scene.archive().verify(None, &mut |_, _| ()).unwrap();
        assert_eq!(verified.damages, []);
    }),
];

/// A figure that the kernel gives for this thread or process.
fn figure(path: &str, name: &str) -> u64 {
    let told = fs::read_to_string(path).unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix(name));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure.unwrap().parse().unwrap()
}

/// Bytes that this thread reads from files to answer a question.
fn bytes_read(ask: fn(&Scene), scene: &Scene) -> u64 {
    let read = || figure("/proc/thread-self/io", "rchar:");
    let before = read();
    ask(scene);
    read() - before
}

#[test]
fn answers_without_cells_take_no_cells() {
    let [without, with] = [false, true].map(|has_cells| Scene::new(TESTED_FIELDS, has_cells));
    let all_cells = with.size() - without.size();
    for (question, ask) in WITHOUT_CELLS {
        let [read_without, read_with] = [&without, &with].map(|scene| bytes_read(ask, scene));
        // The start reads the last row, which is that of the last field's cells: the chain continues after it.
        assert!(
            read_with <= read_without + all_cells / 10,
            "{question}: {read_with} bytes with cells, {read_without} without"
        );
    }
    for (question, ask) in WITH_CELLS {
        let read = bytes_read(ask, &with);
        assert!(read > all_cells / 2, "{question}: {read} bytes");
    }
}

/// What a question costs.
struct Cost {
    time: Duration,
    /// By how much the process's memory grows at most, KiB.
    memory_kib: u64,
}

impl Cost {
    fn of(ask: fn(&Scene), scene: &Scene) -> Self {
        let status = "/proc/self/status";
        // Forgets the peak of memory until now (proc_pid_clear_refs(5)).
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = figure(status, "VmRSS:");
        let times = (0..RUNS).map(|_| {
            let start = Instant::now();
            ask(scene);
            start.elapsed()
        });
        Self {
            time: times.min().unwrap(),
            memory_kib: figure(status, "VmHWM:").saturating_sub(before),
        }
    }
}

/// It takes minutes, and other tests would share the process's memory.
#[test]
#[ignore = "a measurement, which `scripts/bench records` runs"]
fn measure() {
    let fields = std::env::var("SMEARSCOPE_FIELDS");
    let fields = fields.map_or(MEASURED_FIELDS, |text| text.parse().unwrap());
    let scenes = [false, true].map(|has_cells| Scene::new(fields, has_cells));
    let cells = f64::from(fields) * CELLS_OF_A_FIELD as f64;
    let [size_without, size_with] = scenes.each_ref().map(|scene| scene.size() as f64);
    println!(
        "{fields} fields in slides of {FIELDS_OF_A_SLIDE}, without cells and with {CELLS_OF_A_FIELD} each: {cells} cells; each \
         question is asked {RUNS} times, the shortest time counts"
    );
    println!();
    println!(
        "| | without cells [ms] | with cells [ms] | ratio | per cell [µs] | growth of memory with cells [MiB] |"
    );
    println!("|---|---|---|---|---|---|");
    for (question, ask) in WITHOUT_CELLS.into_iter().chain(WITH_CELLS) {
        let [without, with] = scenes.each_ref().map(|scene| Cost::of(ask, scene));
        let [time_without, time_with] = [&without, &with].map(|cost| cost.time.as_secs_f64());
        println!(
            "| {question} | {:.1} | {:.1} | {:.2} | {:.2} | {:.1} |",
            1e3 * time_without,
            1e3 * time_with,
            time_with / time_without,
            1e6 * (time_with - time_without) / cells,
            with.memory_kib as f64 / KIB_PER_MIB
        );
    }
    println!();
    println!(
        "database: {:.1} MiB without cells, {:.1} MiB with them, {:.0} bytes per cell; the export as JSON and the verification take \
         every cell, so they grow with their number",
        size_without / BYTES_PER_MIB,
        size_with / BYTES_PER_MIB,
        (size_with - size_without) / cells
    );
}
