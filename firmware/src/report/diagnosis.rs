//! A verdict in the words of HIAS's reference agent, for the answer over HTTP and the states over MQTT.

use smearscope_artifacts::Verdict;
use tokio::sync::broadcast;

const DETECTED: &str = "Acute Lymphoblastic Leukemia detected!";
const NOT_DETECTED: &str = "Acute Lymphoblastic Leukemia not detected!";

/// Diagnoses that are kept for a slow receiver.
const CAPACITY: usize = 16;

/// A verdict as HIAS expects it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Diagnosis {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// Its probability; `None` if the verdict is inconclusive, or follows from a count.
    pub(crate) confidence: Option<f32>,
    /// The verdict as a sentence.
    pub(crate) message: String,
}

impl Diagnosis {
    /// `probability` is that of leukemia. `explanation` says why the verdict is inconclusive.
    pub(crate) fn new(
        verdict: Verdict,
        probability: Option<f32>,
        explanation: Option<String>,
    ) -> Self {
        match verdict {
            Verdict::Positive => Self {
                verdict,
                confidence: probability,
                message: DETECTED.into(),
            },
            Verdict::Negative => Self {
                verdict,
                confidence: probability.map(|probability| 1.0 - probability),
                message: NOT_DETECTED.into(),
            },
            Verdict::Inconclusive => Self::none(&explanation.unwrap_or_default()),
        }
    }

    /// No verdict, because of `reason`.
    pub(crate) fn none(reason: &str) -> Self {
        Self {
            verdict: Verdict::Inconclusive,
            confidence: None,
            message: format!("No verdict: {reason}"),
        }
    }
}

/// The diagnoses of images that HIAS sent over HTTP, on their way to its broker.
pub(crate) type Diagnoses = broadcast::Sender<Diagnosis>;

/// A channel for diagnoses. It is not the appliance's: the bench takes no part in them.
pub(crate) fn diagnoses() -> Diagnoses {
    broadcast::channel(CAPACITY).0
}
