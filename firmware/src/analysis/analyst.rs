//! Analyses one picture: decodes it, checks its quality, runs the model and decides.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use image::RgbImage;
use rayon::{ThreadPool, ThreadPoolBuildError};
use smearscope_artifacts::decode::{self, Limits, Picture};
use smearscope_artifacts::{
    AnyModel, ArtifactError, CellClass, CellCounter, CountDecision, EngineInfo, EvidenceMap,
    MeasuredScale, Model, NoScale, Scale,
};
use smearscope_hardware::{Frame, Pixels};
use uuid::Uuid;

use crate::analysis::cores::Cores;
use crate::analysis::picture_scale::PictureScale;
use crate::analysis::quality::{Downscaler, Problem, Quality, QualityGate};
use crate::analysis::reading::{CellsReading, FieldReading, Reading};
use crate::analysis::rule::Rule;
use crate::analysis::scale_bar;
use crate::analysis::stage_times::{ModelTimes, StageTimes};
use crate::analysis::verdict::{Judgement, Reason};
use crate::calibration::{Calibration, CalibrationError, CalibrationInUse};

/// Longer side of an overlay in pixels: enough for a screen, and quickly written as PNG on a Pi.
const OVERLAY: u32 = 800;

/// A verified model and the quality gate before it.
pub struct Analyst {
    model: AnyModel,
    /// The classes of a model that counts cells.
    classes: Arc<[CellClass]>,
    gate: QualityGate,
    limits: Limits,
    has_overlays: bool,
    /// The slide of the last frame.
    slide: Uuid,
    /// What was measured of the camera whose frames are analysed.
    calibration: Option<CalibrationInUse>,
    cores: Cores,
}

/// Result of the analysis of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// The verdict on the picture: of the model or, if the quality gate refused the picture, inconclusive.
    pub judgement: Judgement,
    /// What the model says; `None` if it was not run.
    pub reading: Option<Reading>,
    /// The scale of the picture, if it is known.
    pub scale: Option<PictureScale>,
    /// Quality figures with their limits, also of a picture that the gate refused.
    pub quality: Quality,
    /// The evidence painted over the picture; `None` unless overlays are on and the model gives evidence for whole
    /// fields.
    pub overlay: Option<Arc<RgbImage>>,
}

/// An analysed frame of a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysedFrame {
    /// The camera's image file; `None` if the camera delivers raw pixels.
    pub encoded: Option<Vec<u8>>,
    /// The decoded picture; as the camera delivered it, if it delivers raw pixels, and else corrected by the calibration.
    pub image: RgbImage,
    /// The calibration by which it was corrected.
    pub calibration: Option<Arc<Calibration>>,
    /// Verdict, probability, quality figures and evidence.
    pub analysis: Analysis,
    /// Times of decoding, gate and model; the other stages are zero or `None`.
    pub times: StageTimes,
}

/// Why a picture could not be analysed.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// The picture cannot be used, or the engine failed.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The camera's buffer does not match its dimensions.
    #[error("the camera gave {bytes} bytes for {width} × {height} pixels; press again")]
    WrongSize {
        /// Bytes in the buffer.
        bytes: usize,
        /// Pixels per row according to the camera.
        width: u32,
        /// Rows according to the camera.
        height: u32,
    },
    /// The frame does not fit the calibration: another camera, size or white balance.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// The system starts no threads.
    #[error("the analysis cannot start its threads: {0}; try again, or restart the appliance")]
    NoThreads(#[from] ThreadPoolBuildError),
    /// The event loop gave up before the verdict was ready; it is not recorded.
    #[error("the analysis takes too long; press again")]
    TooLate,
}

impl Analyst {
    /// Creates an analyst that accepts pictures within `limits`.
    pub fn new(model: impl Into<AnyModel>, limits: Limits) -> Self {
        let model = model.into();
        let (gate, classes) = match &model {
            AnyModel::Field(_) => (QualityGate::for_whole_fields(), [].into()),
            AnyModel::Cells(model) => {
                let classes = model.manifest().model.cell.classes.as_slice().into();
                (QualityGate::default(), classes)
            }
        };
        Self {
            model,
            classes,
            gate,
            limits,
            has_overlays: false,
            slide: Uuid::nil(),
            calibration: None,
            cores: Cores::default(),
        }
    }

    /// Sets what is measured of the camera: its frames are corrected by the light of an empty field, and have the scale that
    /// was measured unless they bring one. Images from elsewhere stay as they are.
    pub fn calibrate(&mut self, calibration: CalibrationInUse) {
        self.calibration = Some(calibration);
    }

    /// The objective before the camera, if the configuration names it.
    pub fn objective(&self) -> Option<&str> {
        let setup = self.calibration.as_ref()?.setup();
        Some(&*setup.objective).filter(|name| !name.is_empty())
    }

    /// Turns overlays on or off for the following analyses. Painting them takes time.
    pub fn paint_overlays(&mut self, has_overlays: bool) {
        self.has_overlays = has_overlays;
    }

    /// The verified model.
    pub fn model(&self) -> &AnyModel {
        &self.model
    }

    /// How the model's results become verdicts.
    pub fn rule(&self) -> Rule {
        Rule::of(&self.model)
    }

    /// The threads that share its work.
    ///
    /// # Errors
    /// [`AnalysisError::NoThreads`] if the system starts none.
    pub(crate) fn threads(&mut self) -> Result<Arc<ThreadPool>, AnalysisError> {
        Ok(self.cores.threads()?)
    }

    /// The pictures that are accepted.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The engine and device that run the model.
    pub fn engine(&self) -> &EngineInfo {
        self.model.engine()
    }

    /// Analyses an image file, whose pixels have this size in µm if it is known.
    ///
    /// # Errors
    /// [`AnalysisError`] if the file is not a complete image within the limits, or the engine fails.
    pub fn analyse_file(
        &mut self,
        path: &Path,
        um_per_pixel: Option<f32>,
    ) -> Result<(Analysis, StageTimes), AnalysisError> {
        self.analyse_bytes(&decode::read_bytes(path, &self.limits)?, um_per_pixel)
    }

    /// Analyses an image that does not belong to a slide, whose pixels have this size in µm if it is known.
    ///
    /// # Errors
    /// As [`Analyst::analyse_file`].
    pub fn analyse_bytes(
        &mut self,
        bytes: &[u8],
        um_per_pixel: Option<f32>,
    ) -> Result<(Analysis, StageTimes), AnalysisError> {
        let began = Instant::now();
        let picture = self.decode(bytes, um_per_pixel)?;
        let decoding = began.elapsed();
        let threads = self.threads()?;
        let given = um_per_pixel.map(PictureScale::stated);
        let (analysis, mut times) = threads.install(|| self.analyse(&picture, None, given))?;
        times.decoding = decoding;
        Ok((analysis, times))
    }

    /// Measures the scale of a picture by its red cells.
    ///
    /// # Errors
    /// [`AnalysisError::Calibration`] if the picture or the model gives none; [`AnalysisError::Artifact`] if the engine fails.
    pub(crate) fn measure_scale(
        &mut self,
        picture: &Picture,
    ) -> Result<MeasuredScale, AnalysisError> {
        let threads = self.threads()?;
        let no_ruler = CalibrationError::NoRuler {
            model: format!("{} {}", self.model.name(), self.model.version()),
        };
        let AnyModel::Cells(model) = &mut self.model else {
            return Err(no_ruler.into());
        };
        let gate = &mut self.gate;
        threads.install(|| {
            if let Some(figure) = gate.assess(picture, None).failure() {
                let problem = format!("{} ({figure})", Reason::Quality(figure.problem));
                return Err(CalibrationError::Quality(problem).into());
            }
            let measured = model.measure_scale(&picture.image)?;
            Ok(measured.map_err(|problem| match problem {
                NoScale::NoRuler => no_ruler,
                problem => CalibrationError::RedCells(problem),
            })?)
        })
    }

    /// Decodes an image file at the size that the model needs.
    fn decode(&self, bytes: &[u8], um_per_pixel: Option<f32>) -> Result<Picture, ArtifactError> {
        match &self.model {
            AnyModel::Field(model) => {
                decode::decode_for(Some(&model.manifest().model.input), bytes, &self.limits)
            }
            AnyModel::Cells(model) => model.decode(bytes, &self.limits, um_per_pixel),
        }
    }

    /// Analyses a camera's frame of the slide with this id. The field that was
    /// [marked as judged](Self::mark_judged) last is refused.
    ///
    /// # Errors
    /// As [`Analyst::analyse_file`].
    pub fn analyse_frame(
        &mut self,
        frame: Frame,
        slide: Uuid,
    ) -> Result<AnalysedFrame, AnalysisError> {
        let began = Instant::now();
        let calibration = self.calibration.as_ref().and_then(CalibrationInUse::get);
        let stated = frame.um_per_pixel.map(PictureScale::stated);
        let calibrated = || Some(calibration.as_deref()?.scale.as_ref()?.into());
        let given: Option<PictureScale> = stated.or_else(calibrated);
        let um_per_pixel = given.map(|given| given.um_per_pixel);
        let decode = |pixels| match pixels {
            Pixels::Encoded(bytes) => {
                let picture = self.decode(&bytes, um_per_pixel)?;
                Ok::<_, AnalysisError>((picture, Some(bytes)))
            }
            raw @ Pixels::Rgb8 { .. } => Ok((picture(raw, &self.limits)?, None)),
        };
        let earlier = frame.earlier.map(decode).transpose()?;
        let mut earlier = earlier.map(|(picture, _)| picture);
        let (mut picture, encoded) = decode(frame.pixels)?;
        if self.slide != slide {
            self.gate.clear_judged();
            self.slide = slide;
        }
        let threads = self.threads()?;
        let mut raw = None;
        if let Some(calibration) = &calibration {
            raw = encoded.is_none().then(|| picture.image.clone());
            let settings = &frame.settings;
            threads.install(|| {
                earlier
                    .iter_mut()
                    .try_for_each(|picture| calibration.correct(picture, settings))?;
                calibration.correct(&mut picture, settings)
            })?;
        }
        let decoding = began.elapsed();
        let (analysis, mut times) =
            threads.install(|| self.analyse(&picture, earlier.as_ref(), given))?;
        times.decoding = decoding;
        Ok(AnalysedFrame {
            encoded,
            image: raw.unwrap_or(picture.image),
            calibration,
            analysis,
            times,
        })
    }

    /// Records that the last frame counts for its slide, so that the same field is refused from now on.
    pub fn mark_judged(&mut self) {
        self.gate.mark_judged();
    }

    fn analyse(
        &mut self,
        picture: &Picture,
        earlier: Option<&Picture>,
        given: Option<PictureScale>,
    ) -> Result<(Analysis, StageTimes), AnalysisError> {
        let began = Instant::now();
        let quality = self.gate.assess(picture, earlier);
        let field = AssessedPicture {
            picture,
            given,
            quality,
            began,
        };
        if let Some(failure) = field.quality.failure() {
            let refused = Analysis::refused(failure.problem, field.given, field.quality);
            return Ok((refused, after_gate(began, None)));
        }
        match &mut self.model {
            AnyModel::Field(model) => judge(model, field, self.has_overlays),
            AnyModel::Cells(model) => count(model, field, Arc::clone(&self.classes)),
        }
    }
}

/// A picture that the gate has looked at.
struct AssessedPicture<'a> {
    picture: &'a Picture,
    /// The scale that is known without looking at the picture.
    given: Option<PictureScale>,
    quality: Quality,
    /// When its analysis began.
    began: Instant,
}

/// Judges a whole field that the gate passed.
fn judge(
    model: &mut Model,
    field: AssessedPicture<'_>,
    has_overlay: bool,
) -> Result<(Analysis, StageTimes), AnalysisError> {
    let AssessedPicture {
        picture,
        given,
        mut quality,
        began,
    } = field;
    let manifest = &model.manifest().model;
    let limit = manifest.domain.as_ref().map(|domain| domain.limit);
    let rule = manifest.decision;
    let prepared = model.prepare(&picture.image)?;
    if let (Some(distance), Some(limit)) = (prepared.distance(), limit) {
        quality.require_max("distance", distance, limit, Problem::Unfamiliar);
    }
    if let Some(failure) = quality.failure() {
        let refused = Analysis::refused(failure.problem, given, quality);
        return Ok((refused, after_gate(began, None)));
    }
    let asked = Instant::now();
    let inference = prepared.infer()?;
    let times = after_gate(began, Some(ModelTimes::Field(asked.elapsed())));
    let decision = rule.decide(inference.margin);
    let evidence = inference.evidence.as_ref();
    let analysis = Analysis {
        judgement: Judgement::of(&decision),
        reading: Some(Reading::Field(FieldReading {
            probability: decision.probability,
            log_odds: rule.log_odds(inference.margin),
            strongest: evidence.and_then(EvidenceMap::strongest),
        })),
        scale: given,
        quality,
        overlay: evidence
            .filter(|_| has_overlay)
            .map(|evidence| Arc::new(overlay(picture, evidence, given))),
    };
    Ok((analysis, times))
}

/// Counts the cells of a field that the gate passed.
fn count(
    model: &mut CellCounter,
    field: AssessedPicture<'_>,
    classes: Arc<[CellClass]>,
) -> Result<(Analysis, StageTimes), AnalysisError> {
    let AssessedPicture {
        picture,
        given,
        quality,
        began,
    } = field;
    let asked = Instant::now();
    let field = model.analyse_picture(picture, given.map(|given| given.um_per_pixel))?;
    let times = ModelTimes::Cells {
        search: field.search,
        cells: asked.elapsed().saturating_sub(field.search),
    };
    let times = after_gate(began, Some(times));
    let rule = model.manifest().model.count;
    let (judgement, decision) = match field.scale {
        Ok(_) => {
            let decision = rule.decide(field.count());
            (Judgement::of_count(&decision), Some(decision.into()))
        }
        Err(problem) => (Judgement::inconclusive(problem.into()), None),
    };
    let scale = match field.scale {
        // If it is too coarse, cells cannot be told apart, and it is known all the same.
        Ok(Scale::Given(_)) | Err(NoScale::TooCoarse { .. }) => given,
        Ok(Scale::Measured(measured)) => Some(measured.into()),
        Err(_) => None,
    };
    let analysis = Analysis {
        judgement,
        reading: Some(Reading::Cells(CellsReading {
            is_new: vec![true; field.cells.len()],
            field: Arc::new(field),
            classes,
            decision,
        })),
        scale,
        quality,
        overlay: None,
    };
    Ok((analysis, times))
}

/// The times of an analysis whose gate began then, and which ends now with what the model took.
fn after_gate(began: Instant, model: Option<ModelTimes>) -> StageTimes {
    let of_model = model.map_or(Duration::ZERO, ModelTimes::total);
    StageTimes {
        gate: began.elapsed().saturating_sub(of_model),
        model,
        ..StageTimes::default()
    }
}

impl From<NoScale> for Reason {
    fn from(problem: NoScale) -> Self {
        match problem {
            NoScale::TooCoarse { .. } => Self::TooCoarse,
            NoScale::Contradicted { .. } | NoScale::Impossible { .. } => Self::ImpossibleScale,
            NoScale::Unknown(_) | NoScale::NoRuler => Self::UnknownScale,
        }
    }
}

impl Analysis {
    fn refused(problem: Problem, scale: Option<PictureScale>, quality: Quality) -> Self {
        Self {
            judgement: Judgement::inconclusive(Reason::Quality(problem)),
            reading: None,
            scale,
            quality,
            overlay: None,
        }
    }

    /// The probability of a whole field; `None` if the model was not run, or counts cells.
    pub fn field(&self) -> Option<&FieldReading> {
        match &self.reading {
            Some(Reading::Field(field)) => Some(field),
            Some(Reading::Cells(_)) | None => None,
        }
    }

    /// The cells; `None` if the model was not run, or judges whole fields.
    pub fn cells(&self) -> Option<&CellsReading> {
        match &self.reading {
            Some(Reading::Cells(cells)) => Some(cells),
            Some(Reading::Field(_)) | None => None,
        }
    }

    /// Calibrated probability of the positive class, 0 to 1; `None` if the model was not run, or counts cells.
    pub fn probability(&self) -> Option<f32> {
        self.field().map(|field| field.probability)
    }

    /// What the cells of this field alone give; `None` if they were not counted.
    pub fn count(&self) -> Option<&CountDecision> {
        self.cells()?.decision.as_deref()
    }

    /// Whether the field counts for its slide: the model judged it, or counted at least one leukocyte.
    pub fn counts(&self) -> bool {
        match &self.reading {
            None => false,
            Some(Reading::Field(_)) => true,
            Some(Reading::Cells(cells)) => cells.decision.is_some() && cells.has_leukocytes(),
        }
    }

    /// Why the verdict is inconclusive, with what failed; `None` for a positive or negative verdict.
    pub fn explanation(&self) -> Option<String> {
        let reason = self.judgement.reason()?;
        let no_scale = self.cells().and_then(|cells| cells.field.scale.err());
        Some(match (self.quality.failure(), no_scale) {
            (Some(figure), _) => format!("{reason} ({figure})"),
            (None, Some(problem)) => problem.to_string(),
            (None, None) => reason.to_string(),
        })
    }
}

/// Decodes a camera's pixels at their full size.
///
/// # Errors
/// [`AnalysisError`] if they are not a complete image within the limits.
pub(crate) fn picture(pixels: Pixels, limits: &Limits) -> Result<Picture, AnalysisError> {
    match pixels {
        Pixels::Encoded(bytes) => Ok(decode::decode_for(None, &bytes, limits)?),
        Pixels::Rgb8 {
            width,
            height,
            data,
        } => {
            let bytes = data.len();
            // `from_raw` alone would accept a buffer that is too long.
            RgbImage::from_raw(width, height, data)
                .filter(|image| image.as_raw().len() == image.pixels().len() * 3)
                .map(Picture::from)
                .ok_or(AnalysisError::WrongSize {
                    bytes,
                    width,
                    height,
                })
        }
    }
}

/// Paints the evidence over the downscaled picture, with a ring around the strongest position, and a scale bar if the scale is
/// known.
fn overlay(picture: &Picture, evidence: &EvidenceMap, scale: Option<PictureScale>) -> RgbImage {
    let mut painted = evidence.paint(Downscaler::new(OVERLAY).downscale(&picture.image));
    if let Some(position) = evidence.strongest() {
        position.draw_ring(&mut painted);
    }
    if let Some(PictureScale { um_per_pixel, .. }) = scale {
        let reduction = picture.original_size.0 as f32 / painted.width() as f32;
        scale_bar::draw(&mut painted, um_per_pixel * reduction);
    }
    painted
}
