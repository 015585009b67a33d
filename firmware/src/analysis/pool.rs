//! Analyses images from the network on threads with low priority, separate from the bench's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use smearscope_artifacts::MeasuredScale;
use smearscope_artifacts::decode::Picture;
use smearscope_hardware::{CaptureSettings, Frame, Pixels, with_causes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use uuid::Uuid;

use crate::analysis::analyst::{AnalysisError, Analyst};
use crate::analysis::commit::CommitToken;
use crate::analysis::finding::{Finding, SaveOutcome};
use crate::analysis::recorder::{CapturedField, Examined, Recorder};
use crate::analysis::slide::Slide;
use crate::config::Config;
use crate::models::Models;
use crate::records::{Room, Space, Store, check_place};
use crate::report::answer::Answer;
use crate::system::priority::lower_priority;

/// Source in the record of an image from the network that has no name.
pub(crate) const SOURCE: &str = "sent over HTTP";
/// How long to wait for the records while the appliance writes to them.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Problem if the configuration names no folder for records.
pub(crate) const NO_RECORDS: &str = "no records are kept; set storage.state in the configuration";

/// Why an image was not analysed or not recorded.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The image cannot be used.
    Image(AnalysisError),
    /// The model cannot be used.
    Model(String),
    /// The record cannot be saved.
    NotSaved(String),
    /// The record cannot be saved before there is space; the message says how much.
    DiskFull(String),
    /// The analysis crashed.
    Crashed,
}

/// Result for an image.
pub(crate) struct Analysed {
    pub(crate) answer: Answer,
    /// The id of its record, if it was recorded.
    pub(crate) record: Option<Uuid>,
}

/// What is wanted of an image.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Size of a pixel in the plane of the specimen, µm, if it is known.
    pub(crate) um_per_pixel: Option<f32>,
    /// The source to record it with; `None`: it is not recorded.
    pub(crate) source: Option<String>,
}

struct Job {
    task: Task,
    /// Its place in the queue, released when the job is dropped.
    _place: OwnedSemaphorePermit,
}

/// What is to be done.
enum Task {
    Analyse {
        image: Vec<u8>,
        wanted: Wanted,
        answer: Reply<Analysed>,
    },
    MeasureScale {
        picture: Picture,
        answer: Reply<MeasuredScale>,
    },
}

/// Where a result is sent. The caller may have stopped waiting.
type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// Threads that analyse images. They start with the first image.
pub(crate) struct Pool {
    config: Arc<Config>,
    size: usize,
    /// Greatest number of images being analysed or waiting.
    places: usize,
    free_places: Arc<Semaphore>,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
}

impl Pool {
    /// Creates a pool of `size` threads with a queue for `queue` waiting images.
    pub(crate) fn new(config: Arc<Config>, size: usize, queue: usize) -> Self {
        Self {
            config,
            size,
            places: size + queue,
            free_places: Arc::new(Semaphore::new(size + queue)),
            jobs: Mutex::new(None),
        }
    }

    /// Whether the queue has no place for another image.
    pub(crate) fn is_full(&self) -> bool {
        self.free_places.available_permits() == 0
    }

    /// Reserves a place for an image; `None` if the queue is full.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free_places).try_acquire_owned().ok()
    }

    /// Number of images being analysed or waiting.
    pub(crate) fn depth(&self) -> usize {
        self.places
            .saturating_sub(self.free_places.available_permits())
    }

    /// Queues an image and waits for its result.
    pub(crate) async fn analyse(
        &self,
        image: Vec<u8>,
        wanted: Wanted,
        place: OwnedSemaphorePermit,
    ) -> Result<Analysed, Refusal> {
        let task = |answer| Task::Analyse {
            image,
            wanted,
            answer,
        };
        self.run(task, place).await
    }

    /// Queues a picture, and waits for the scale that its red cells give.
    pub(crate) async fn measure_scale(
        &self,
        picture: Picture,
        place: OwnedSemaphorePermit,
    ) -> Result<MeasuredScale, Refusal> {
        let task = |answer| Task::MeasureScale { picture, answer };
        self.run(task, place).await
    }

    async fn run<T>(
        &self,
        task: impl FnOnce(Reply<T>) -> Task,
        place: OwnedSemaphorePermit,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        let job = Job {
            task: task(answer),
            _place: place,
        };
        self.send(job)
            .map_err(|error| Refusal::Model(format!("a thread cannot be started: {error}")))?;
        answered.await.unwrap_or(Err(Refusal::Crashed))
    }

    /// Sends a job to the threads, and starts them if it is the first.
    fn send(&self, job: Job) -> std::io::Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &*jobs {
            Some(sender) => sender,
            None => jobs.insert(self.start()?),
        };
        // The threads live as long as the sender. If they ended anyway, the job is dropped and the caller sees a crash.
        let _ = sender.send(job);
        Ok(())
    }

    /// Starts the threads.
    fn start(&self) -> std::io::Result<mpsc::Sender<Job>> {
        let (sender, jobs) = mpsc::channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 1..=self.size {
            let (config, jobs) = (Arc::clone(&self.config), Arc::clone(&jobs));
            thread::Builder::new()
                .name(format!("analyst {number}"))
                .spawn(move || work(&config, &jobs))?;
        }
        Ok(sender)
    }
}

/// Runs jobs until the pool is dropped.
fn work(config: &Config, jobs: &Mutex<mpsc::Receiver<Job>>) {
    // The engine starts its threads from this one, so they inherit the priority.
    lower_priority();
    let mut recorder = None;
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else {
            return;
        };
        match job.task {
            Task::Analyse {
                image,
                wanted,
                answer,
            } => run(config, &mut recorder, answer, |recorder| {
                analyse(config, recorder, image, wanted)
            }),
            Task::MeasureScale { picture, answer } => {
                run(config, &mut recorder, answer, |recorder| {
                    let measured = recorder.analyst_mut().measure_scale(&picture);
                    measured.map_err(Refusal::Image)
                });
            }
        }
    }
}

/// Does what is wanted of the recorder, which is loaded for the first task, unless the caller has stopped waiting.
fn run<T>(
    config: &Config,
    recorder: &mut Option<Recorder>,
    answer: Reply<T>,
    task: impl FnOnce(&mut Recorder) -> Result<T, Refusal>,
) {
    if answer.is_closed() {
        return;
    }
    let result = catch_unwind(AssertUnwindSafe(|| {
        let recorder = match recorder {
            Some(recorder) => recorder,
            None => recorder.insert(Recorder::new(load(config)?)),
        };
        task(recorder)
    }));
    let result = result.unwrap_or_else(|_| {
        // A panic may leave the recorder in an inconsistent state.
        *recorder = None;
        Err(Refusal::Crashed)
    });
    // The caller may have stopped waiting.
    let _ = answer.send(result);
}

/// Analyses an image, and records it if that is wanted.
fn analyse(
    config: &Config,
    recorder: &mut Recorder,
    image: Vec<u8>,
    wanted: Wanted,
) -> Result<Analysed, Refusal> {
    let Wanted {
        um_per_pixel,
        source,
    } = wanted;
    let Some(source) = source else {
        return answer(recorder.analyst_mut(), &image, um_per_pixel);
    };
    let frame = Frame {
        pixels: Pixels::Encoded(image),
        captured_at: Instant::now(),
        earlier: None,
        source,
        um_per_pixel,
        settings: CaptureSettings::default(),
    };
    answer_and_record(config, recorder, frame)
}

/// Analyses an image without recording it.
fn answer(
    analyst: &mut Analyst,
    image: &[u8],
    um_per_pixel: Option<f32>,
) -> Result<Analysed, Refusal> {
    let start = Instant::now();
    let (analysis, stages) = analyst
        .analyse_bytes(image, um_per_pixel)
        .map_err(Refusal::Image)?;
    Ok(Analysed {
        answer: Answer::new(analyst, &analysis, start.elapsed(), &stages),
        record: None,
    })
}

/// Analyses an image and adds it to the bench's records.
fn answer_and_record(
    config: &Config,
    recorder: &mut Recorder,
    frame: Frame,
) -> Result<Analysed, Refusal> {
    let Some(storage) = &config.storage else {
        return Err(Refusal::NotSaved(NO_RECORDS.into()));
    };
    check_place(storage).map_err(|error| Refusal::NotSaved(with_causes(&error)))?;
    let space = Space::of(storage.state.clone(), storage.min_free, storage.reserve);
    if let Room::None(problem) = space.room() {
        return Err(Refusal::DiskFull(problem));
    }
    let store = Store::open_shared(storage.state.clone())
        .map_err(|error| Refusal::NotSaved(with_causes(&error)))?;
    let start = Instant::now();
    recorder.record_to(Some(store));
    let result = recorder.examine(CapturedField {
        frame,
        capture: None,
        slide: Slide::unnumbered(),
        until: start + COMMIT_TIMEOUT,
        token: CommitToken::default(),
    });
    let elapsed = start.elapsed();
    recorder.record_to(None);
    let Examined { finding, times, .. } = result.map_err(Refusal::Image)?;
    let Finding { field, saved, .. } = finding;
    match saved {
        SaveOutcome::Saved(record) => Ok(Analysed {
            answer: Answer::new(recorder.analyst(), &field, elapsed, &times),
            record: Some(record),
        }),
        SaveOutcome::NotSaved | SaveOutcome::Unwanted => Err(Refusal::NotSaved(
            "the image cannot be saved; see the appliance's log for the cause".into(),
        )),
    }
}

/// Loads the bench's model a second time, or the one that the bench falls back to; by default with a single thread.
fn load(config: &Config) -> Result<Analyst, Refusal> {
    let mut config = config.clone();
    config.engine.threads.get_or_insert(1);
    let loaded = Models::new(&config)
        .load_or_fall_back()
        .map_err(|error| Refusal::Model(with_causes(&error)))?;
    Ok(Analyst::new(loaded.model, config.limits))
}
