//! Analysts for images from the network: none of them is the bench's, and all of them stand back for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use smearscope_hardware::{Frame, Pixels, with_causes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use uuid::Uuid;

use crate::analysis::analyst::{AnalysisError, Analyst};
use crate::analysis::commit::CommitToken;
use crate::analysis::finding::Finding;
use crate::analysis::finding::SaveOutcome;
use crate::analysis::recorder::{CapturedField, Recorder};
use crate::analysis::slide::Slide;
use crate::config::Config;
use crate::models::Models;
use crate::records::{Room, Space, Store};
use crate::report::answer::Answer;
use crate::system::priority::lower_priority;

/// Where an image that was sent comes from, in the words of its record.
const SENT: &str = "sent over HTTP";
/// How long the appliance may hold the records meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
/// Why nothing is kept.
pub(crate) const NOTHING_KEPT: &str =
    "nothing is recorded here; storage.state in the configuration says where to";

/// Why an image got no answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is no image that can be used.
    Image(AnalysisError),
    /// The model cannot be used.
    Model(String),
    /// It was to be kept and cannot be.
    Unkept(String),
    /// There is no room to keep it.
    Full(String),
    /// The analysis crashed.
    Crashed,
}

/// What came of an image.
pub(crate) struct Analysed {
    pub(crate) answer: Answer,
    /// The id of its record, if it was kept.
    pub(crate) record: Option<Uuid>,
}

struct Job {
    image: Vec<u8>,
    /// Whether it is to be kept.
    store: bool,
    answer: oneshot::Sender<Result<Analysed, Refusal>>,
    /// Its place in the queue, until it is done.
    _place: OwnedSemaphorePermit,
}

/// Threads that analyse images, one each; started when the first image comes.
pub(crate) struct Pool {
    config: Arc<Config>,
    size: usize,
    /// Images that may be analysed or wait for that.
    places: usize,
    room: Arc<Semaphore>,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
}

impl Pool {
    /// Of `size` threads, before which `queue` images may wait.
    pub(crate) fn new(config: Arc<Config>, size: usize, queue: usize) -> Self {
        Self {
            config,
            size,
            places: size + queue,
            room: Arc::new(Semaphore::new(size + queue)),
            jobs: Mutex::new(None),
        }
    }

    /// A place for an image, which is to be had before the image is read; `None` if all are taken.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }

    /// Images that are analysed or wait for that.
    pub(crate) fn depth(&self) -> usize {
        self.places.saturating_sub(self.room.available_permits())
    }

    /// Analyses an image in its turn, and keeps it if that is wanted.
    pub(crate) async fn analyse(
        &self,
        image: Vec<u8>,
        store: bool,
        place: OwnedSemaphorePermit,
    ) -> Result<Analysed, Refusal> {
        let (answer, answered) = oneshot::channel();
        let job = Job {
            image,
            store,
            answer,
            _place: place,
        };
        self.give(job)
            .map_err(|error| Refusal::Model(format!("a thread cannot be started: {error}")))?;
        answered.await.unwrap_or(Err(Refusal::Crashed))
    }

    fn give(&self, job: Job) -> std::io::Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &*jobs {
            Some(sender) => sender,
            None => jobs.insert(self.start()?),
        };
        // The threads live as long as the sender; should they not, the answer never comes.
        let _ = sender.send(job);
        Ok(())
    }

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

fn work(config: &Config, jobs: &Mutex<mpsc::Receiver<Job>>) {
    // The engine starts threads from here.
    lower_priority();
    let mut recorder = None;
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else {
            return;
        };
        if job.answer.is_closed() {
            continue;
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            let recorder = match &mut recorder {
                Some(recorder) => recorder,
                None => recorder.insert(Recorder::new(load(config)?)),
            };
            if job.store {
                keep(config, recorder, job.image)
            } else {
                answer(recorder.analyst_mut(), &job.image)
            }
        }));
        let result = result.unwrap_or_else(|_| {
            // Who knows what state it is in.
            recorder = None;
            Err(Refusal::Crashed)
        });
        // Nobody may wait any more.
        let _ = job.answer.send(result);
    }
}

fn answer(analyst: &mut Analyst, image: &[u8]) -> Result<Analysed, Refusal> {
    let start = Instant::now();
    let analysis = analyst.analyse_bytes(image).map_err(Refusal::Image)?;
    let elapsed_ms = start.elapsed().as_secs_f64() * 1000.0;
    Ok(Analysed {
        answer: Answer::new(analyst, &analysis, elapsed_ms),
        record: None,
    })
}

/// Answers an image, and keeps it with that in the bench's records.
fn keep(config: &Config, recorder: &mut Recorder, image: Vec<u8>) -> Result<Analysed, Refusal> {
    let Some(storage) = &config.storage else {
        return Err(Refusal::Unkept(NOTHING_KEPT.into()));
    };
    let space = Space::of(storage.state.clone(), storage.min_free, storage.reserve);
    if let Room::None(why) = space.room() {
        return Err(Refusal::Full(why));
    }
    let store = Store::open_shared(storage.state.clone())
        .map_err(|error| Refusal::Unkept(with_causes(&error)))?;
    let start = Instant::now();
    recorder.keep(Some(store));
    let result = recorder.examine(CapturedField {
        frame: Frame {
            pixels: Pixels::Encoded(image),
            captured_at: start,
            earlier: None,
            source: SENT.into(),
        },
        capture: Duration::ZERO,
        slide: Slide::aside(),
        until: start + PATIENCE,
        token: CommitToken::default(),
    });
    let elapsed_ms = start.elapsed().as_secs_f64() * 1000.0;
    recorder.keep(None);
    let Finding { field, saved, .. } = result.map_err(Refusal::Image)?.finding;
    match saved {
        SaveOutcome::Saved(record) => Ok(Analysed {
            answer: Answer::new(recorder.analyst(), &field, elapsed_ms),
            record: Some(record),
        }),
        SaveOutcome::NotSaved | SaveOutcome::Unwanted => Err(Refusal::Unkept(
            "it cannot be saved; the appliance's log says why".into(),
        )),
    }
}

/// The same model as the bench's, with threads of its own, and few of them.
fn load(config: &Config) -> Result<Analyst, Refusal> {
    let mut config = config.clone();
    config.engine.threads.get_or_insert(1);
    let model = Models::new(&config)
        .load_current()
        .map_err(|error| Refusal::Model(with_causes(&error)))?;
    Ok(Analyst::new(model, config.limits))
}
