//! Analysts for images from the network: none of them is the bench's, and all of them stand back for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Instant;

use rustix::process::setpriority_process;
use rustix::thread::gettid;
use smearscope_hardware::with_causes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::analysis::{AnalysisError, Analyst};
use crate::answer::Answer;
use crate::config::Config;
use crate::models::Models;

/// The least urgent that a thread can be (`nice(2)`).
const NICE: i32 = 19;

/// Why an image got no answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is no image that can be used.
    Image(AnalysisError),
    /// The model cannot be used.
    Model(String),
    /// The analysis crashed.
    Crashed,
}

struct Job {
    image: Vec<u8>,
    answer: oneshot::Sender<Result<Answer, Refusal>>,
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

    /// Analyses an image in its turn.
    pub(crate) async fn analyse(
        &self,
        image: Vec<u8>,
        place: OwnedSemaphorePermit,
    ) -> Result<Answer, Refusal> {
        let (answer, answered) = oneshot::channel();
        let job = Job {
            image,
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

/// Makes this thread, and those that are started from it, give way to the bench.
pub(crate) fn stand_back() {
    if let Err(error) = setpriority_process(Some(gettid()), NICE) {
        log::warn!("work for the network cannot stand back for the bench: {error}");
    }
}

fn work(config: &Config, jobs: &Mutex<mpsc::Receiver<Job>>) {
    // The engine starts threads from here.
    stand_back();
    let mut analyst = None;
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else {
            return;
        };
        if job.answer.is_closed() {
            continue;
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            answer(config, &mut analyst, &job.image)
        }));
        let result = result.unwrap_or_else(|_| {
            // Who knows what state it is in.
            analyst = None;
            Err(Refusal::Crashed)
        });
        // Nobody may wait any more.
        let _ = job.answer.send(result);
    }
}

fn answer(config: &Config, analyst: &mut Option<Analyst>, image: &[u8]) -> Result<Answer, Refusal> {
    let analyst = match analyst {
        Some(analyst) => analyst,
        None => analyst.insert(load(config)?),
    };
    let start = Instant::now();
    let analysis = analyst.analyse_bytes(image).map_err(Refusal::Image)?;
    let elapsed_ms = start.elapsed().as_secs_f64() * 1000.0;
    Ok(Answer::new(analyst, &analysis, elapsed_ms))
}

/// The same model as the bench's, with threads of its own, and few of them.
fn load(config: &Config) -> Result<Analyst, Refusal> {
    let mut config = config.clone();
    config.engine.threads.get_or_insert(1);
    let models = Models::new(&config);
    let model = models
        .folder()
        .and_then(|folder| Ok(models.load(&folder)?))
        .map_err(|error| Refusal::Model(with_causes(&error)))?;
    Ok(Analyst::new(model, config.limits))
}
