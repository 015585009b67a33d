//! Analyses one picture: decodes it, checks its quality, runs the model and decides.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use image::RgbImage;
use smearscope_artifacts::decode::{self, Limits, Picture};
use smearscope_artifacts::{
    self as artifacts, ArtifactError, EngineInfo, EvidenceMap, FieldModel, InputContract, Manifest,
    Model,
};
use smearscope_hardware::{Frame, Pixels};
use uuid::Uuid;

use crate::analysis::quality::{Downscaler, Problem, Quality, QualityGate};
use crate::analysis::stage_times::StageTimes;
use crate::analysis::verdict::{Judgement, Reason};

/// Longer side of an overlay in pixels: enough for a screen, and quickly written as PNG on a Pi.
const OVERLAY: u32 = 800;

/// A verified model and the quality gate before it.
pub struct Analyst {
    model: Model,
    gate: QualityGate,
    limits: Limits,
    has_overlays: bool,
    /// The slide of the last frame.
    slide: Uuid,
}

/// Result of the analysis of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// The verdict on the picture: of the model or, if the quality gate refused the picture, inconclusive.
    pub judgement: Judgement,
    /// Calibrated probability of the positive class, 0 to 1; `None` if the model was not run.
    pub probability: Option<f32>,
    /// Calibrated log-odds of the positive class, for the slide; `None` if the model was not run.
    pub log_odds: Option<f32>,
    /// Quality figures with their limits, also of a picture that the gate refused.
    pub quality: Quality,
    /// Position of the strongest evidence for the positive class; `None` without evidence.
    pub strongest: Option<artifacts::ImagePosition>,
    /// The evidence painted over the picture; `None` unless overlays are on and the model gives evidence.
    pub overlay: Option<Arc<RgbImage>>,
}

/// An analysed frame of a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysedFrame {
    /// The camera's image file; `None` if the camera delivers raw pixels.
    pub encoded: Option<Vec<u8>>,
    /// The decoded picture.
    pub image: RgbImage,
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
    /// The event loop gave up before the verdict was ready; it is not recorded.
    #[error("the analysis takes too long; press again")]
    TooLate,
}

impl Analyst {
    /// Creates an analyst that accepts pictures within `limits`.
    pub fn new(model: Model, limits: Limits) -> Self {
        Self {
            model,
            gate: QualityGate::default(),
            limits,
            has_overlays: false,
            slide: Uuid::nil(),
        }
    }

    /// Turns overlays on or off for the following analyses. Painting them takes time.
    pub fn paint_overlays(&mut self, has_overlays: bool) {
        self.has_overlays = has_overlays;
    }

    /// The verified model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The model's manifest.
    pub fn manifest(&self) -> &Manifest<FieldModel> {
        self.model.manifest()
    }

    /// The engine and device that run the model.
    pub fn engine(&self) -> &EngineInfo {
        self.model.engine()
    }

    /// Analyses an image file.
    ///
    /// # Errors
    /// [`AnalysisError`] if the file is not a complete image within the limits, or the engine fails.
    pub fn analyse_file(&mut self, path: &Path) -> Result<Analysis, AnalysisError> {
        self.analyse_bytes(&decode::read_bytes(path, &self.limits)?)
    }

    /// Analyses an image that does not belong to a slide.
    ///
    /// # Errors
    /// As [`Analyst::analyse_file`].
    pub fn analyse_bytes(&mut self, bytes: &[u8]) -> Result<Analysis, AnalysisError> {
        let picture = decode::decode_for(Some(&self.manifest().model.input), bytes, &self.limits)?;
        Ok(self.analyse(&picture, None)?.0)
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
        let contract = Some(&self.model.manifest().model.input);
        let decode = |pixels| picture(pixels, &self.limits, contract);
        let earlier = frame.earlier.map(decode).transpose()?;
        let (picture, encoded) = match frame.pixels {
            Pixels::Encoded(bytes) => {
                let picture = decode::decode_for(contract, &bytes, &self.limits)?;
                (picture, Some(bytes))
            }
            raw @ Pixels::Rgb8 { .. } => (decode(raw)?, None),
        };
        if self.slide != slide {
            self.gate.clear_judged();
            self.slide = slide;
        }
        let decoding = began.elapsed();
        let (analysis, mut times) = self.analyse(&picture, earlier.as_ref())?;
        times.preparation += decoding;
        Ok(AnalysedFrame {
            encoded,
            image: picture.image,
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
    ) -> Result<(Analysis, StageTimes), AnalysisError> {
        let began = Instant::now();
        let refused = |problem, quality| {
            let times = StageTimes {
                preparation: began.elapsed(),
                ..StageTimes::default()
            };
            Ok((Analysis::refused(problem, quality), times))
        };
        let mut quality = self.gate.assess(picture, earlier);
        if let Some(failure) = quality.failure() {
            return refused(failure.problem, quality);
        }
        let model = &self.model.manifest().model;
        let limit = model.domain.as_ref().map(|domain| domain.limit);
        let rule = model.decision;
        let prepared = self.model.prepare(&picture.image)?;
        if let (Some(distance), Some(limit)) = (prepared.distance(), limit) {
            quality.require_max("distance", distance, limit, Problem::Unfamiliar);
        }
        if let Some(failure) = quality.failure() {
            return refused(failure.problem, quality);
        }
        let preparation = began.elapsed();
        let inference_start = Instant::now();
        let inference = prepared.infer()?;
        let times = StageTimes {
            preparation,
            inference: Some(inference_start.elapsed()),
            ..StageTimes::default()
        };
        let decision = rule.decide(inference.margin);
        let evidence = inference.evidence.as_ref();
        let strongest = evidence.and_then(EvidenceMap::strongest);
        let analysis = Analysis {
            judgement: Judgement::of(&decision),
            probability: Some(decision.probability),
            log_odds: Some(rule.log_odds(inference.margin)),
            quality,
            strongest,
            overlay: evidence
                .filter(|_| self.has_overlays)
                .map(|evidence| Arc::new(overlay(&picture.image, evidence))),
        };
        Ok((analysis, times))
    }
}

impl Analysis {
    fn refused(problem: Problem, quality: Quality) -> Self {
        Self {
            judgement: Judgement::inconclusive(Reason::Quality(problem)),
            probability: None,
            log_odds: None,
            quality,
            strongest: None,
            overlay: None,
        }
    }

    /// Why the verdict is inconclusive, with the quality figure that failed; `None` for a positive or negative verdict.
    pub fn explanation(&self) -> Option<String> {
        let reason = self.judgement.reason()?;
        Some(match self.quality.failure() {
            Some(figure) => format!("{reason} ({figure})"),
            None => reason.to_string(),
        })
    }
}

/// Decodes a camera's pixels, at a reduced size if the input `contract` of a network allows that.
///
/// # Errors
/// [`AnalysisError`] if they are not a complete image within the limits.
pub(crate) fn picture(
    pixels: Pixels,
    limits: &Limits,
    contract: Option<&InputContract>,
) -> Result<Picture, AnalysisError> {
    match pixels {
        Pixels::Encoded(bytes) => Ok(decode::decode_for(contract, &bytes, limits)?),
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

/// Paints the evidence over the downscaled picture, with a ring around the strongest position.
fn overlay(image: &RgbImage, evidence: &EvidenceMap) -> RgbImage {
    let mut painted = evidence.paint(Downscaler::new(OVERLAY).downscale(image));
    if let Some(position) = evidence.strongest() {
        position.draw_ring(&mut painted);
    }
    painted
}
