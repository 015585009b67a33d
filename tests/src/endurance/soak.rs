//! A long run with faults: after each fault the next press works, no saved field is lost, and memory does not grow.
//!
//! `scripts/bench soak` runs it longer.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use smearscope::testing::{
    Analyst, ApplianceError, ApplianceEvent, Archive, End, Equipped, Filter, Finding, LazyStore,
    ModelError, Recorder, RecordsError, Retention, SaveOutcome, Space, Timing, connect, event_loop,
};
use smearscope_artifacts::decode::Limits;
use smearscope_artifacts::{
    ArtifactError, EngineChoice, EngineConfig, EngineInfo, Model, Network, Outputs, Tensor,
};
use smearscope_hardware::HardwareError;
use smearscope_hardware::mock::{self, Bench};
use tokio::sync::broadcast;

use crate::support::small_disk::{Place, SmallDisk, enter};
use crate::support::*;

/// Number of presses without `SMEARSCOPE_SOAK`.
const PRESSES: u64 = 300;
/// One press in this many meets a fault.
const PRESSES_PER_FAULT: u32 = 10;
/// The two faults that last a whole deadline come once in this many presses.
const PRESSES_PER_STALL: u64 = 1000;
/// Longer than anything takes on a busy machine unless it hangs.
const DEADLINE: Duration = Duration::from_secs(10);
/// Disk space of one field, and of everything else.
const FIELD_KIB: u64 = 512;
const DISK_MIB: u64 = 64;
/// Allowance for SQLite, the allocator and the test itself.
const MOST_GROWTH_KIB: u64 = 16 << 10;

const TIMING: Timing = Timing {
    interval: None,
    slide_fields: None,
    capture: DEADLINE,
    analysis: DEADLINE,
    selftest: Duration::ZERO,
    hold: Duration::from_hours(1),
    refresh: Duration::from_millis(20),
};

/// A fault during a press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    CameraGone,
    CameraStalled,
    TornFrame,
    DisplayGone,
    EngineFails,
    EngineCrashes,
    EngineHangs,
    DiskFull,
    /// As `DiskFull`, but without the check of free space noticing.
    DiskFilled,
    DiskFails,
}

use Trouble::*;

const QUICK: [Trouble; 8] = [
    CameraGone,
    TornFrame,
    DisplayGone,
    EngineFails,
    EngineCrashes,
    DiskFull,
    DiskFilled,
    DiskFails,
];

/// The fault of a press, if any; it fills the disk only if `can_fill`.
fn trouble(press: u64, can_fill: bool, random: &mut ChaCha8Rng) -> Option<Trouble> {
    let trouble = match press % PRESSES_PER_STALL {
        100 => Some(CameraStalled),
        200 => Some(EngineHangs),
        _ if random.random_range(0..PRESSES_PER_FAULT) == 0 => QUICK.choose(random).copied(),
        _ => None,
    };
    trouble.filter(|trouble| can_fill || *trouble != DiskFilled)
}

/// The engine's current fault, shared between clones.
#[derive(Clone, Default)]
struct Mood(Arc<(Mutex<Option<Trouble>>, Condvar)>);

impl Mood {
    fn set(&self, mood: Option<Trouble>) {
        *self.0.0.lock().unwrap() = mood;
        self.0.1.notify_all();
    }

    /// Blocks while the engine hangs.
    fn get(&self) -> Option<Trouble> {
        let mood = self.0.0.lock().unwrap();
        let hangs = |mood: &mut Option<Trouble>| *mood == Some(EngineHangs);
        *self.0.1.wait_while(mood, hangs).unwrap()
    }
}

struct Moody {
    inner: Box<dyn Network>,
    mood: Mood,
}

impl Network for Moody {
    fn run(&mut self, input: &Tensor) -> Result<Outputs<'_>, ArtifactError> {
        match self.mood.get() {
            Some(EngineCrashes) => resume_unwind(Box::new("as the test wants")),
            Some(EngineFails) => Err(ArtifactError::Inference {
                engine: "embedded",
                problem: "as the test wants".into(),
            }),
            _ => self.inner.run(input),
        }
    }

    fn info(&self) -> &EngineInfo {
        self.inner.info()
    }
}

fn model() -> Result<Model, ArtifactError> {
    let config = EngineConfig {
        choice: EngineChoice::Embedded,
        ..EngineConfig::default()
    };
    Model::load(&demo_model(), &config)
}

/// A field of view and its expected verdict.
struct Known {
    name: String,
    bytes: Vec<u8>,
    probability: f32,
}

fn known_fields() -> Vec<Known> {
    let mut analyst = Analyst::new(model().unwrap(), Limits::default());
    let known = |path: std::path::PathBuf| Known {
        name: path.file_name().unwrap().to_str().unwrap().to_owned(),
        bytes: std::fs::read(&path).unwrap(),
        probability: analyst
            .analyse_file(&path, None)
            .unwrap()
            .0
            .probability()
            .unwrap(),
    };
    demo_fields().into_iter().map(known).collect()
}

/// A running appliance and the controls for its faults.
struct Soak {
    bench: Bench,
    events: broadcast::Receiver<ApplianceEvent>,
    mood: Mood,
    free: Arc<AtomicU64>,
    thread: JoinHandle<Result<End, ApplianceError>>,
}

impl Soak {
    fn start(state: &Path) -> Self {
        let (board, bench) = mock::board();
        let (handle, inside) = connect();
        let mood = Mood::default();
        let free = Arc::new(AtomicU64::new(u64::MAX));
        let space = Space::probed(
            {
                let free = Arc::clone(&free);
                move || Ok(free.load(Ordering::Relaxed))
            },
            2,
            1,
        );
        let load = {
            let (state, mood) = (state.to_owned(), mood.clone());
            move || {
                let wrap = |inner| -> Box<dyn Network> { Box::new(Moody { inner, mood }) };
                let model = model().map_err(ModelError::from)?.wrap_engine(wrap);
                let analyst = Analyst::new(model, Limits::default());
                let records = LazyStore::open(state, Retention::default(), space)?;
                Ok(Equipped {
                    recorder: Recorder::recording(analyst, records),
                    checks: Vec::new(),
                })
            }
        };
        let events = handle.events();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let never = std::future::pending();
            runtime.block_on(event_loop::run(board, load, TIMING, inside, |_| {}, never))
        });
        Self {
            bench,
            events,
            mood,
            free,
            thread,
        }
    }

    /// Presses the button and returns the finding or the fault's message.
    fn press(&mut self) -> Result<Finding, String> {
        assert!(self.bench.button.press());
        loop {
            match self.events.blocking_recv().unwrap() {
                ApplianceEvent::Analysed(report) => return Ok(report.finding.clone()),
                ApplianceEvent::Failed { fault, .. } => return Err(fault.message),
                ApplianceEvent::SlideClosed(_) => {}
            }
        }
    }

    fn photograph(&mut self, field: &Known) -> Finding {
        let camera = &self.bench.camera;
        camera.will_deliver(field.bytes.clone(), &field.name);
        let finding = self.press().unwrap();
        assert_eq!(finding.field.probability(), Some(field.probability));
        finding
    }

    /// Presses during a fault, checks that the appliance reports it, and ends the fault.
    fn meet(
        &mut self,
        trouble: Trouble,
        field: &Known,
        disk: Option<&(SmallDisk, u64)>,
        state: &Path,
    ) {
        let camera = self.bench.camera.clone();
        let deliver = || camera.will_deliver(field.bytes.clone(), &field.name);
        let lost = || HardwareError::Lost {
            part: "camera",
            remedy: "plug it in".into(),
            source: None,
        };
        let told = match trouble {
            CameraGone => {
                camera.will_fail(lost());
                let message = self.press().unwrap_err();
                (message, "plug it in")
            }
            CameraStalled => {
                camera.will_stall();
                let message = self.press().unwrap_err();
                // The driver's late answer has no receiver.
                camera.will_fail(lost());
                camera.release();
                (message, "the camera gives no picture")
            }
            TornFrame => {
                let torn = field.bytes[..field.bytes.len() / 2].to_vec();
                camera.will_deliver(torn, &field.name);
                (self.press().unwrap_err(), &*field.name)
            }
            DisplayGone => {
                self.bench.display.unplug();
                self.photograph(field);
                let before = self.bench.screen.latest();
                self.bench.display.plug_in();
                let is_drawn = |picture: &_| Some(picture) != before.as_ref();
                self.bench.screen.wait_until("the verdict", is_drawn);
                return;
            }
            EngineFails | EngineCrashes | EngineHangs => {
                self.mood.set(Some(trouble));
                deliver();
                let message = self.press().unwrap_err();
                self.mood.set(None);
                let expected = match trouble {
                    EngineFails => "as the test wants",
                    EngineCrashes => "the analysis crashed",
                    _ => "the analysis takes too long",
                };
                (message, expected)
            }
            DiskFull => {
                self.free.store(0, Ordering::Relaxed);
                let message = self.press().unwrap_err();
                self.free.store(u64::MAX, Ordering::Relaxed);
                (message, "disk full")
            }
            DiskFilled => {
                let (disk, mib) = disk.unwrap();
                disk.resize(None);
                assert_eq!(self.photograph(field).saved, SaveOutcome::NotSaved);
                disk.resize(Some(*mib));
                return;
            }
            DiskFails => {
                let (incoming, aside) = (state.join("incoming"), state.join("aside"));
                std::fs::rename(&incoming, &aside).unwrap();
                std::fs::write(&incoming, "in the way").unwrap();
                assert_eq!(self.photograph(field).saved, SaveOutcome::NotSaved);
                std::fs::remove_file(&incoming).unwrap();
                std::fs::rename(&aside, &incoming).unwrap();
                return;
            }
        };
        let (message, expected) = told;
        assert!(message.contains(expected), "{trouble:?}: {message}");
    }
}

/// Resources of the process: memory in KiB, threads, open files.
#[derive(Debug, Clone, Copy)]
struct CommitGuard {
    memory_kib: u64,
    threads: usize,
    files: usize,
}

fn held() -> CommitGuard {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let count = |folder| std::fs::read_dir(folder).unwrap().count();
    CommitGuard {
        memory_kib: memory
            .and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap(),
        threads: count("/proc/self/task"),
        files: count("/proc/self/fd"),
    }
}

/// Ignored here, because other tests share the process's memory; the test below runs it in a separate process.
#[test]
#[ignore = "runs in a separate process"]
fn soak() {
    let presses = std::env::var("SMEARSCOPE_SOAK").map_or(PRESSES, |text| text.parse().unwrap());
    let place = enter(module_path!(), "soak");
    if place == Place::Passed {
        return;
    }
    let disk = (place == Place::Inside).then(|| {
        let mib = DISK_MIB + presses * FIELD_KIB / 1024;
        (SmallDisk::of_mib(mib), mib)
    });
    let disk = disk.as_ref();
    let fields = known_fields();
    let folder = tempfile::tempdir().unwrap();
    let state = disk
        .map_or(folder.path(), |(disk, _)| disk.path())
        .join("state");
    let mut random = ChaCha8Rng::seed_from_u64(6);
    let mut soak = Soak::start(&state);
    let mut saved = 0;
    let mut met = BTreeMap::<Trouble, u64>::new();
    let mut early = None;
    for press in 0..presses {
        // Alternates fields, because the appliance refuses the same field twice in a row.
        let field = &fields[press as usize % fields.len()];
        if let Some(trouble) = trouble(press, disk.is_some(), &mut random) {
            soak.meet(trouble, field, disk, &state);
            *met.entry(trouble).or_default() += 1;
            saved += u64::from(trouble == DisplayGone);
        } else {
            let kept = soak.photograph(field).saved;
            assert!(
                matches!(kept, SaveOutcome::Saved(_)),
                "press {press}: {kept:?}"
            );
            saved += 1;
        }
        if press % 5 == 4 {
            assert!(soak.bench.button.press_long());
        }
        soak.bench.screen.discard_past();
        soak.bench.leds.discard_past();
        if press == presses / 5 {
            early = Some(held());
        }
        if press % 1000 == 999 {
            println!("{} presses: {:?}", press + 1, held());
        }
    }
    let (early, late) = (early.unwrap(), held());
    println!("{presses} presses, {saved} fields saved, faults {met:?}");
    println!("after a fifth {early:?}, at the end {late:?}");
    assert!(
        late.memory_kib < early.memory_kib + MOST_GROWTH_KIB,
        "memory"
    );
    assert!(late.threads <= early.threads, "threads");
    assert!(late.files <= early.files + 2, "files");
    assert!(soak.bench.button.shutdown());
    soak.thread.join().unwrap().unwrap();
    let archive = Archive::open(&state).unwrap();
    let verified = archive.verify(None, &mut |_, _| ()).unwrap();
    assert_eq!(verified.damages, []);
    let mut fields = BTreeMap::<_, u32>::new();
    archive
        .fields(&Filter::default(), |record| {
            let (field, standing) = (&record.field, &record.field.standing);
            let count = fields.entry(field.slide).or_default();
            *count += 1;
            // A field that was not saved does not count towards its slide.
            assert_eq!((field.number, standing.fields), (*count, *count));
            Ok::<_, RecordsError>(())
        })
        .unwrap();
    // Every slide but the last is closed.
    let slides = (verified.rows as u64 - saved).div_ceil(2);
    assert_eq!(verified.images, 2 * saved);
    assert_eq!(verified.orphans, Vec::<String>::new());
    assert!(slides <= presses.div_ceil(5), "{slides} slides");
}

#[test]
fn whatever_fails_the_next_press_works_and_nothing_is_lost() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "endurance::soak::soak",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let (told, failed) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{told}{failed}");
    assert!(told.contains("1 passed"), "{told}");
}
