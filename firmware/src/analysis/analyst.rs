//! One picture, from bytes to verdict: decode, judge its quality, run the model, decide.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use image::RgbImage;
use smearscope_artifacts::decode::{self, Limits, Picture};
use smearscope_artifacts::{
    self as artifacts, ArtifactError, EngineInfo, EvidenceMap, InputContract, Manifest, Model,
};
use smearscope_hardware::{Frame, Pixels};
use uuid::Uuid;

use crate::analysis::finding::StageTimes;
use crate::analysis::quality::{Downscaler, Problem, Quality, QualityGate};
use crate::analysis::verdict::{Judgement, Reason};

/// Longer side of an overlay in pixels: what a screen shows, and a Pi writes as PNG at once.
const OVERLAY: u32 = 800;

/// A verified model with the gate in front of it.
pub struct Analyst {
    model: Model,
    gate: QualityGate,
    limits: Limits,
    has_overlays: bool,
    /// Of which slide the last frame was.
    slide: Uuid,
}

/// What came out for one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// The verdict.
    pub judgement: Judgement,
    /// Calibrated probability of the positive class, 0 to 1; `None` where the model was not asked.
    pub probability: Option<f32>,
    /// Calibrated log-odds of the positive class, for the slide; `None` where the model was not asked.
    pub log_odds: Option<f32>,
    /// What the gate measured.
    pub quality: Quality,
    /// Where the evidence for the positive class is strongest, if there is any.
    pub strongest: Option<artifacts::ImagePosition>,
    /// The evidence painted over the picture, where it was asked for and the model gives it.
    pub overlay: Option<Arc<RgbImage>>,
}

/// A camera's frame, analysed.
#[derive(Debug, Clone, PartialEq)]
pub struct Photograph {
    /// The file that the camera gave, if it gave one.
    pub encoded: Option<Vec<u8>>,
    /// What it shows, as it was analysed.
    pub image: RgbImage,
    /// What came out.
    pub analysis: Analysis,
    /// How long decoding, gate and model took; the other stages are zero and `None`.
    pub times: StageTimes,
}

/// Why a picture could not be analysed.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// The picture cannot be used, or the engine failed.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The camera's buffer is not what it says.
    #[error("the camera gave {bytes} bytes for {width} × {height} pixels; press again")]
    WrongSize {
        /// Bytes in the buffer.
        bytes: usize,
        /// Pixels per row that the camera claims.
        width: u32,
        /// Rows that the camera claims.
        height: u32,
    },
    /// The verdict came when nobody waited for it any more; it is not recorded.
    #[error("the analysis takes too long; press again")]
    TooLate,
}

impl Analyst {
    /// An analyst with a verified model, for pictures within `limits`.
    pub fn new(model: Model, limits: Limits) -> Self {
        Self {
            model,
            gate: QualityGate::default(),
            limits,
            has_overlays: false,
            slide: Uuid::nil(),
        }
    }

    /// Whether analyses have overlays from now on, which take time to paint.
    pub fn paint_overlays(&mut self, has_overlays: bool) {
        self.has_overlays = has_overlays;
    }

    /// The verified model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The model's manifest.
    pub fn manifest(&self) -> &Manifest {
        self.model.manifest()
    }

    /// The engine and device that really run.
    pub fn engine(&self) -> &EngineInfo {
        self.model.engine()
    }

    /// Analyses an image file.
    ///
    /// # Errors
    /// [`AnalysisError`] if it is not a whole image within the limits, or the engine fails.
    pub fn analyse_file(&mut self, path: &Path) -> Result<Analysis, AnalysisError> {
        self.analyse_bytes(&decode::read_bytes(path, &self.limits)?)
    }

    /// Analyses an image that is no field of a slide.
    ///
    /// # Errors
    /// As [`Analyst::analyse_file`].
    pub fn analyse_bytes(&mut self, bytes: &[u8]) -> Result<Analysis, AnalysisError> {
        let picture = decode::decode_for(Some(&self.manifest().input), bytes, &self.limits)?;
        Ok(self.analyse(&picture, None)?.0)
    }

    /// Analyses a camera's frame of the slide with this id. The field that was
    /// [remembered](Self::remember) last is not judged again.
    ///
    /// # Errors
    /// As [`Analyst::analyse_file`].
    pub fn analyse_frame(
        &mut self,
        frame: Frame,
        slide: Uuid,
    ) -> Result<Photograph, AnalysisError> {
        let began = Instant::now();
        let contract = Some(&self.model.manifest().input);
        let whole = |pixels| picture(pixels, &self.limits, contract);
        let earlier = frame.earlier.map(whole).transpose()?;
        let (picture, encoded) = match frame.pixels {
            Pixels::Encoded(bytes) => {
                let picture = decode::decode_for(contract, &bytes, &self.limits)?;
                (picture, Some(bytes))
            }
            raw @ Pixels::Rgb8 { .. } => (whole(raw)?, None),
        };
        if self.slide != slide {
            self.gate.forget();
            self.slide = slide;
        }
        let decoding = began.elapsed();
        let (analysis, mut times) = self.analyse(&picture, earlier.as_ref())?;
        times.preparation += decoding;
        Ok(Photograph {
            encoded,
            image: picture.image,
            analysis,
            times,
        })
    }

    /// The last frame counts: the same field of its slide is not to be judged again.
    pub fn remember(&mut self) {
        self.gate.remember();
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
        let limit = self
            .model
            .manifest()
            .domain
            .as_ref()
            .map(|domain| domain.limit);
        let rule = self.model.manifest().decision;
        let prepared = self.model.prepare(&picture.image)?;
        if let (Some(distance), Some(limit)) = (prepared.distance(), limit) {
            quality.require_max("distance", distance, limit, Problem::Unfamiliar);
        }
        if let Some(failure) = quality.failure() {
            return refused(failure.problem, quality);
        }
        let preparation = began.elapsed();
        let asked = Instant::now();
        let inference = prepared.infer()?;
        let times = StageTimes {
            preparation,
            inference: Some(asked.elapsed()),
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

    /// Why there is no verdict and by how much, if there is none.
    pub fn explanation(&self) -> Option<String> {
        let reason = self.judgement.reason()?;
        Some(match self.quality.failure() {
            Some(figure) => format!("{reason} ({figure})"),
            None => reason.to_string(),
        })
    }
}

/// What a camera's pixels show; for a network, if there is one.
///
/// # Errors
/// [`AnalysisError`] if that is not a whole image within the limits.
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
            // `from_raw` alone would take a longer buffer, of which the rest is who knows what.
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

/// The picture, smaller, under its evidence, with a ring around the strongest position.
fn overlay(image: &RgbImage, evidence: &EvidenceMap) -> RgbImage {
    let mut painted = evidence.paint(Downscaler::new(OVERLAY).copy(image));
    if let Some(place) = evidence.strongest() {
        place.draw_ring(&mut painted);
    }
    painted
}
