//! Analyses a frame, adds it to its slide and records it, on the model's thread.

use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use smearscope_artifacts::EngineInfo;
use smearscope_hardware::{Frame, with_causes};
use uuid::Uuid;

use crate::analysis::analyst::{AnalysedFrame, AnalysisError, Analyst};
use crate::analysis::commit::CommitToken;
use crate::analysis::finding::{Finding, SaveOutcome};
use crate::analysis::picture_scale::PictureScale;
use crate::analysis::quality::Quality;
use crate::analysis::rule::Rule;
use crate::analysis::slide::{Slide, SlideSummary};
use crate::analysis::stage_times::{ModelTimes, StageTimes, milliseconds};
use crate::records::{
    CameraEntry, CellEntry, CellsEntry, ClosingReason, CountEntry, ElapsedEntry, EngineEntry,
    FieldEntry, FieldImages, ImageMetadata, Images, LazyStore, ModelEntry, RecordsError,
    SlideEntry, Space, Store,
};
use crate::system::clock::ClockState;
use crate::system::time::utc;

/// An analyst, and the records to which it adds its findings.
pub struct Recorder {
    analyst: Analyst,
    records: Records,
}

/// Where findings are recorded.
enum Records {
    /// No records are kept.
    None,
    /// Nothing may be recorded, for this reason.
    Refused(String),
    /// The appliance's records.
    Own(LazyStore),
    /// Records shared with the appliance that writes to them.
    Shared(Store),
}

/// A captured frame and its context.
pub struct CapturedField {
    /// The camera's frame.
    pub frame: Frame,
    /// How long the capture took; `None` for an image from elsewhere.
    pub capture: Option<Duration>,
    /// The slide without this field.
    pub slide: Slide,
    /// Deadline for the record's commit.
    pub until: Instant,
    /// Taken before the record is committed.
    pub token: CommitToken,
}

/// The result for a captured frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// The verdicts on field and slide, and whether the field was saved.
    pub finding: Finding,
    /// The slide with this field.
    pub slide: Slide,
    /// How long each stage took.
    pub times: StageTimes,
    /// The engine that ran the model. It differs from the one before if that failed on this frame.
    pub engine: EngineInfo,
}

impl Recorder {
    /// Creates a recorder that keeps no records.
    pub fn new(analyst: Analyst) -> Self {
        Self {
            analyst,
            records: Records::None,
        }
    }

    /// Creates a recorder that keeps records, with evidence overlays.
    pub fn recording(mut analyst: Analyst, records: LazyStore) -> Self {
        analyst.paint_overlays(true);
        Self {
            analyst,
            records: Records::Own(records),
        }
    }

    /// Creates a recorder that saves nothing, for this reason, although records are wanted.
    pub fn refusing(analyst: Analyst, reason: String) -> Self {
        Self {
            analyst,
            records: Records::Refused(reason),
        }
    }

    /// Records the following frames, with evidence overlays, to records shared with a running appliance. `None` ends
    /// that.
    pub fn record_to(&mut self, store: Option<Store>) {
        self.analyst.paint_overlays(store.is_some());
        self.records = store.map_or(Records::None, Records::Shared);
    }

    /// The analyst, to analyse an image without recording it.
    pub fn analyst_mut(&mut self) -> &mut Analyst {
        &mut self.analyst
    }

    /// The analyst, for its manifest and its engine.
    pub fn analyst(&self) -> &Analyst {
        &self.analyst
    }

    /// The disk space for records, if the appliance keeps any.
    pub fn space(&self) -> Option<&Space> {
        match &self.records {
            Records::Own(store) => Some(store.space()),
            Records::None | Records::Refused(_) | Records::Shared(_) => None,
        }
    }

    /// Why nothing is saved, whatever the disk space; `None` if it is or is not wanted.
    pub fn refusal(&self) -> Option<&str> {
        match &self.records {
            Records::Refused(reason) => Some(reason),
            Records::None | Records::Own(_) | Records::Shared(_) => None,
        }
    }

    /// The number for a slide that follows those of the records, but at least `number`, that of a slide without a recorded
    /// field. Records that a full disk kept from being opened may be open now.
    pub fn number_after_records(&mut self, number: u32) -> u32 {
        let Some(store) = self.store() else {
            return number;
        };
        match store.next_slide_number() {
            Ok(next) => next.max(number),
            Err(error) => {
                log::error!("the slide has number {number}: {}", with_causes(&error));
                number
            }
        }
    }

    /// Records that a slide is closed. A failure is logged: the slide has its verdict all the same.
    pub fn close_slide(&mut self, slide: Uuid, reason: ClosingReason) {
        if let Some(store) = self.store()
            && let Err(error) = store.close_slide(slide, reason)
        {
            log::error!(
                "the end of the slide is not recorded: {}",
                with_causes(&error)
            );
        }
    }

    /// The records, if they are kept and open.
    fn store(&mut self) -> Option<&mut Store> {
        match &mut self.records {
            Records::None | Records::Refused(_) => None,
            Records::Own(store) => store.store(),
            Records::Shared(store) => Some(store),
        }
    }

    /// Analyses a frame and records it. If recording fails, the finding has [`SaveOutcome::NotSaved`] and the cause is
    /// logged.
    ///
    /// # Errors
    /// Those of [`Analyst::analyse_frame`], and [`AnalysisError::TooLate`] if the event loop has given up.
    pub fn examine(&mut self, captured: CapturedField) -> Result<Examined, AnalysisError> {
        let CapturedField {
            frame,
            capture,
            slide: mut before,
            until,
            token,
        } = captured;
        if before.is_numbered() && before.photographed() == 0 {
            before.renumber(self.number_after_records(before.number()));
        }
        let captured_at = wall_clock(frame.captured_at);
        let source = frame.source.clone();
        let settings = frame.settings.clone();
        let mut analysed = self.analyst.analyse_frame(frame, before.id())?;
        let calibration = analysed.calibration.as_deref();
        let camera = CameraEntry::new(&settings, self.analyst.objective(), calibration);
        let mut slide = before.clone();
        let began = Instant::now();
        let threads = self.analyst.threads()?;
        threads.install(|| slide.add(&mut analysed.analysis));
        analysed.times.counting = Some(began.elapsed());
        let field = Field {
            id: Uuid::now_v7(),
            slide: SlideEntry {
                id: slide.id(),
                number: slide.number(),
                started_at: utc(captured_at),
            },
            number: slide.photographed(),
            captured_at,
            source,
            camera,
            capture,
            until,
        };
        let began = Instant::now();
        let saved = self.record(&field, &analysed, &self.summary(&slide), &token)?;
        let storing = began.elapsed();
        if saved == SaveOutcome::NotSaved {
            // The gate does not mark the field as judged either, so the capture can be repeated.
            slide = before;
            slide.add_unsaved();
        } else if analysed.analysis.counts() {
            self.analyst.mark_judged();
        }
        Ok(Examined {
            engine: self.analyst.engine().clone(),
            times: StageTimes {
                capture,
                storing: (saved != SaveOutcome::Unwanted).then_some(storing),
                ..analysed.times
            },
            finding: Finding {
                field: analysed.analysis,
                slide: self.summary(&slide),
                saved,
            },
            slide,
        })
    }

    fn summary(&self, slide: &Slide) -> SlideSummary {
        slide.summary(&self.analyst.rule())
    }

    /// Writes the images, then commits the row.
    fn record(
        &mut self,
        field: &Field,
        frame: &AnalysedFrame,
        summary: &SlideSummary,
        token: &CommitToken,
    ) -> Result<SaveOutcome, AnalysisError> {
        let outcome = |outcome| {
            token
                .take()
                .then_some(outcome)
                .ok_or(AnalysisError::TooLate)
        };
        let space = self.space().cloned();
        let store = match &mut self.records {
            Records::None => return outcome(SaveOutcome::Unwanted),
            Records::Refused(reason) => Err(&**reason),
            Records::Own(store) => store.store().ok_or("the records are not open"),
            Records::Shared(store) => Ok(store),
        };
        let store = match store {
            Ok(store) => store,
            Err(reason) => {
                log::error!("{} is not saved: {reason}", field.source);
                return outcome(SaveOutcome::NotSaved);
            }
        };
        let not_saved = |error: &RecordsError| {
            log::error!("{} is not saved: {}", field.source, with_causes(error));
            if let Some(space) = &space {
                space.note_failure(error);
            }
            SaveOutcome::NotSaved
        };
        let clock = ClockState::at(field.captured_at, store.newest());
        if clock.is_wrong() {
            log::warn!("{}: {}", field.source, clock.words());
        }
        let exif = field.exif(frame.analysis.scale, clock);
        let field_images = FieldImages {
            encoded: frame.encoded.as_deref(),
            image: &frame.image,
            exif: exif.as_deref(),
            overlay: frame.analysis.overlay.as_deref(),
        };
        let images = match store.write_images(field.slide.id, field.id, &field_images) {
            Ok(images) => images,
            Err(error) if token.take() => return Ok(not_saved(&error)),
            Err(_) => return Err(AnalysisError::TooLate),
        };
        if !token.take() {
            store.discard(&images);
            return Err(AnalysisError::TooLate);
        }
        let entry = field.entry(&self.analyst, frame, summary, images, clock);
        let cells = frame.analysis.cells();
        let cells = cells.filter(|cells| cells.field.scale.is_ok());
        let cells = cells.map(|cells| CellsEntry {
            field: field.id,
            cells: CellEntry::of(cells),
        });
        let committed = store.commit(&field.slide, &entry, cells.as_ref(), field.until);
        Ok(match committed {
            Ok(()) => SaveOutcome::Saved(field.id),
            Err(error) => not_saved(&error),
        })
    }
}

/// The data of a record that do not come from the analysis.
struct Field {
    id: Uuid,
    slide: SlideEntry,
    number: u32,
    captured_at: Timestamp,
    source: String,
    camera: Option<CameraEntry>,
    capture: Option<Duration>,
    until: Instant,
}

impl Field {
    /// EXIF data for the image file; `None` if no camera of the appliance took it: files from elsewhere stay as they are.
    fn exif(&self, scale: Option<PictureScale>, clock: ClockState) -> Option<Vec<u8>> {
        let camera = self.camera.as_ref()?;
        camera.name.as_ref()?;
        let metadata = ImageMetadata {
            record: self.id,
            captured_at: (!clock.is_wrong()).then_some(self.captured_at),
            camera,
            scale,
        };
        let failed = |error: &io::Error| {
            log::warn!("the image of {} has no EXIF data: {error}", self.source);
        };
        metadata.exif().inspect_err(failed).ok()
    }

    /// The row of the record.
    fn entry(
        &self,
        analyst: &Analyst,
        frame: &AnalysedFrame,
        summary: &SlideSummary,
        images: Images,
        clock: ClockState,
    ) -> FieldEntry {
        let (model, engine, rule) = (analyst.model(), analyst.engine(), analyst.rule());
        let analysis = &frame.analysis;
        let times = frame.times;
        let (decision, slide_rule) = match rule {
            Rule::Field { decision, slide } => (Some(decision), Some(slide)),
            Rule::Cells(_) => (None, None),
        };
        FieldEntry {
            id: self.id,
            slide: self.slide.id,
            number: self.number,
            captured_at: utc(self.captured_at),
            clock: Some(clock),
            source: self.source.clone(),
            verdict: analysis.judgement.verdict(),
            reason: analysis.explanation(),
            probability: analysis.probability(),
            log_odds: analysis.field().map(|field| field.log_odds),
            threshold: decision.map(|decision| decision.threshold),
            inconclusive_band: decision.map(|decision| decision.inconclusive),
            calibrated: decision.map(|decision| decision.is_calibrated()),
            slide_rule: slide_rule.map(Into::into),
            count: analysis.count().map(CountEntry::new),
            count_rule: rule.count().map(Into::into),
            scale: analysis.scale,
            camera: self.camera.clone(),
            quality: quality(&analysis.quality),
            standing: summary.into(),
            model: ModelEntry {
                name: model.name().into(),
                version: model.version().to_string(),
                manifest_sha256: model.manifest_sha256().into(),
                demo: model.is_demo(),
            },
            engine: EngineEntry {
                name: engine.engine.into(),
                version: engine.version.clone(),
                device: engine.device.clone(),
            },
            elapsed_ms: ElapsedEntry {
                capture: milliseconds(self.capture.unwrap_or_default()),
                preparation: milliseconds(times.decoding + times.gate),
                decoding: Some(milliseconds(times.decoding)),
                inference: times.model.map(ModelTimes::total).map(milliseconds),
                search: match times.model {
                    Some(ModelTimes::Cells { search, .. }) => Some(milliseconds(search)),
                    Some(ModelTimes::Field(_)) | None => None,
                },
                counting: times.counting.map(milliseconds),
                storing: milliseconds(images.elapsed),
            },
            image: images.image,
            overlay: images.overlay,
        }
    }
}

/// Serialises through text, because a direct conversion would extend 32-bit numbers to 64 bits with spurious digits.
fn quality(quality: &Quality) -> Value {
    serde_json::to_string(quality)
        .and_then(|text| serde_json::from_str(&text))
        .unwrap_or(Value::Null)
}

/// The wall-clock time of a past instant.
fn wall_clock(moment: Instant) -> Timestamp {
    let now = Timestamp::now();
    now.checked_sub(moment.elapsed()).unwrap_or(now)
}
