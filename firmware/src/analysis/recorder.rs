//! What happens to a frame, on a thread of its own: it is analysed, joined to its slide, and recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use smearscope_artifacts::EngineInfo;
use smearscope_hardware::{Frame, with_causes};
use uuid::Uuid;

use crate::analysis::analyst::{AnalysisError, Analyst, Elapsed, Photograph};
use crate::analysis::finding::Finding;
use crate::analysis::finding::SaveOutcome;
use crate::analysis::quality::Quality;
use crate::analysis::slide::{Slide, SlideSummary};
use crate::records::{
    ElapsedEntry, EngineEntry, FieldEntry, FieldImages, Images, LazyStore, ModelEntry, SlideEntry,
    Space, Store,
};
use crate::system::time::utc;

/// An analyst, with the records that it keeps, if it keeps any.
pub struct Recorder {
    analyst: Analyst,
    records: Records,
}

/// Where findings are kept.
enum Records {
    /// Nowhere.
    None,
    /// In the appliance's own records.
    Own(LazyStore),
    /// In those of an appliance at work.
    Beside(Store),
}

/// A frame on its way to a verdict.
pub struct CapturedField {
    /// What the camera delivered.
    pub frame: Frame,
    /// How long that took.
    pub capture: Duration,
    /// The slide without it.
    pub slide: Slide,
    /// Until when it may be recorded.
    pub until: Instant,
    /// Settles whether it is recorded or given up.
    pub claim: CommitToken,
}

/// What came of a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// What came out.
    pub finding: Finding,
    /// How long that took.
    pub took: StageTimes,
    /// Who ran the model last: another engine than before, where that one failed on this frame.
    pub engine: EngineInfo,
}

/// How long the stages took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// From asking the camera to its answer.
    pub capture: Duration,
    /// Decoding, and judging the quality.
    pub preparation: Duration,
    /// The model; `None` where it was not asked.
    pub inference: Option<Duration>,
    /// Until images and row were on the disk; `None` where nothing is recorded.
    pub storing: Option<Duration>,
}

/// What only one of two may have: whoever records a verdict, or whoever waits for it and gives up. So what
/// is recorded is told, unless the disk takes longer than the end waits for it. Clones are the same claim.
#[derive(Debug, Clone, Default)]
pub struct CommitToken(Arc<AtomicBool>);

impl CommitToken {
    /// Whether it was still there to be had; it no longer is.
    pub fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }

    /// Takes it, if it is still there, when this is dropped: whoever waited was sent away.
    pub fn held(&self) -> CommitGuard {
        CommitGuard(self.clone())
    }
}

/// See [`CommitToken::held`].
pub struct CommitGuard(CommitToken);

impl Drop for CommitGuard {
    fn drop(&mut self) {
        self.0.take();
    }
}

impl Recorder {
    /// One that keeps no records.
    pub fn new(analyst: Analyst) -> Self {
        Self {
            analyst,
            records: Records::None,
        }
    }

    /// One that keeps records, with the evidence.
    pub fn recording(mut analyst: Analyst, records: LazyStore) -> Self {
        analyst.paint_overlays(true);
        Self {
            analyst,
            records: Records::Own(records),
        }
    }

    /// Keeps what is examined from now on in the records of an appliance at work, with the evidence; with `None`,
    /// nowhere.
    pub fn keep(&mut self, store: Option<Store>) {
        self.analyst.paint_overlays(store.is_some());
        self.records = store.map_or(Records::None, Records::Beside);
    }

    /// The verified model and its gate, for an image that is kept nowhere.
    pub fn analyst_mut(&mut self) -> &mut Analyst {
        &mut self.analyst
    }

    /// The verified model and its gate.
    pub fn analyst(&self) -> &Analyst {
        &self.analyst
    }

    /// The room that there is for records, if any are kept.
    pub fn space(&self) -> Option<&Space> {
        match &self.records {
            Records::Own(lazy_store) => Some(lazy_store.space()),
            Records::None | Records::Beside(_) => None,
        }
    }

    /// Analyses a frame and records it. What cannot be recorded is a finding all the same, which says so, and the log tells
    /// why.
    ///
    /// # Errors
    /// Those of [`Analyst::analyse_frame`], and [`AnalysisError::TooLate`].
    pub fn examine(&mut self, captured: CapturedField) -> Result<Examined, AnalysisError> {
        let CapturedField {
            frame,
            capture,
            slide,
            until,
            claim,
        } = captured;
        let captured_at = wall_clock(frame.captured_at);
        let source = frame.source.clone();
        let photograph = self.analyst.analyse_frame(frame, slide.id())?;
        let number = slide.photographed() + 1;
        let id = slide.id();
        let before = slide.clone();
        let mut standing = self.standing(slide, |slide| slide.add(&photograph.analysis));
        let field = Field {
            id: Uuid::now_v7(),
            slide: SlideEntry {
                id,
                number: standing.slide,
                started_at: utc(captured_at),
            },
            number,
            captured_at,
            source,
            capture,
            until,
        };
        let began = Instant::now();
        let kept = self.record(&field, &photograph, &standing, &claim)?;
        let storing = began.elapsed();
        if kept == SaveOutcome::NotSaved {
            // The same field may be photographed again, so that it is not remembered either.
            standing = self.standing(before, Slide::lose);
        } else if photograph.analysis.log_odds.is_some() {
            self.analyst.remember();
        }
        Ok(Examined {
            engine: self.analyst.engine().clone(),
            took: StageTimes {
                capture,
                preparation: photograph.elapsed.preparation,
                inference: photograph.elapsed.inference,
                storing: (kept != SaveOutcome::Unwanted).then_some(storing),
            },
            finding: Finding {
                field: photograph.analysis,
                slide: standing,
                kept,
            },
        })
    }

    fn standing(&self, mut slide: Slide, change: impl FnOnce(&mut Slide)) -> SlideSummary {
        change(&mut slide);
        let manifest = self.analyst.manifest();
        slide.standing(manifest.slide, &manifest.decision)
    }

    fn record(
        &mut self,
        field: &Field,
        photograph: &Photograph,
        standing: &SlideSummary,
        claim: &CommitToken,
    ) -> Result<SaveOutcome, AnalysisError> {
        let claimed = |kept| {
            let is_claimed = claim.take();
            is_claimed.then_some(kept).ok_or(AnalysisError::TooLate)
        };
        let store = match &mut self.records {
            Records::None => return claimed(SaveOutcome::Unwanted),
            Records::Own(lazy_store) => lazy_store.store(),
            Records::Beside(store) => Some(store),
        };
        let Some(store) = store else {
            log::error!("{} is not saved: the records are not open", field.source);
            return claimed(SaveOutcome::NotSaved);
        };
        let mut is_claimed = false;
        let exposure = FieldImages {
            encoded: photograph.encoded.as_deref(),
            image: &photograph.image,
            overlay: photograph.analysis.overlay.as_deref(),
        };
        let analyst = &self.analyst;
        let entry = |images| {
            is_claimed = claim.take();
            is_claimed.then(|| field.entry(analyst, photograph, standing, images))
        };
        match store.put(&field.slide, field.id, &exposure, field.until, entry) {
            Ok(true) => Ok(SaveOutcome::Saved(field.id)),
            Err(error) if is_claimed || claim.take() => {
                log::error!("{} is not saved: {}", field.source, with_causes(&error));
                Ok(SaveOutcome::NotSaved)
            }
            Ok(false) | Err(_) => Err(AnalysisError::TooLate),
        }
    }
}

/// What is known of a field besides its analysis.
struct Field {
    id: Uuid,
    slide: SlideEntry,
    number: u32,
    captured_at: Timestamp,
    source: String,
    capture: Duration,
    until: Instant,
}

impl Field {
    fn entry(
        &self,
        analyst: &Analyst,
        photograph: &Photograph,
        standing: &SlideSummary,
        images: Images,
    ) -> FieldEntry {
        let (manifest, engine) = (analyst.manifest(), analyst.engine());
        let analysis = &photograph.analysis;
        let Elapsed {
            preparation,
            inference,
        } = photograph.elapsed;
        FieldEntry {
            id: self.id,
            slide: self.slide.id,
            number: self.number,
            captured_at: utc(self.captured_at),
            source: self.source.clone(),
            verdict: analysis.verdict.word().into(),
            reason: analysis.explanation(),
            probability: analysis.probability,
            log_odds: analysis.log_odds,
            threshold: manifest.decision.threshold,
            quality: quality(&analysis.quality),
            standing: standing.into(),
            model: ModelEntry {
                name: manifest.name.clone(),
                version: manifest.version.to_string(),
                manifest_sha256: analyst.model().manifest_sha256().into(),
                demo: manifest.demo,
            },
            engine: EngineEntry {
                name: engine.engine.into(),
                version: engine.version.clone(),
                device: engine.device.clone(),
            },
            elapsed_ms: ElapsedEntry {
                capture: milliseconds(self.capture),
                preparation: milliseconds(preparation),
                inference: inference.map(milliseconds),
                storing: milliseconds(images.elapsed),
            },
            image: images.image,
            overlay: images.overlay,
        }
    }
}

/// As text first: a value would have the digits that 32-bit numbers get with 64 bits.
fn quality(quality: &Quality) -> Value {
    serde_json::to_string(quality)
        .and_then(|text| serde_json::from_str(&text))
        .unwrap_or(Value::Null)
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// The time of day at a moment in the past.
fn wall_clock(moment: Instant) -> Timestamp {
    let now = Timestamp::now();
    now.checked_sub(moment.elapsed()).unwrap_or(now)
}
