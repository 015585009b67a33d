//! What tests and measurements outside this crate drive in process: the event loop on a scripted board, and the
//! records.

pub use crate::analysis::analyst::{AnalysisError, Analyst};
pub use crate::analysis::commit::CommitToken;
pub use crate::analysis::finding::{Finding, SaveOutcome};
pub use crate::analysis::identity::Identity;
pub use crate::analysis::quality::Problem;
pub use crate::analysis::reading::{CellsReading, FieldReading, Reading};
pub use crate::analysis::recorder::{CapturedField, Examined, Recorder};
pub use crate::analysis::rule::Rule;
pub use crate::analysis::slide::{Slide, SlideSummary};
pub use crate::analysis::verdict::{Judgement, Reason};
pub use crate::appliance::checks::Check;
pub use crate::appliance::event_loop::{self, ApplianceError, End, Equipped};
pub use crate::appliance::handle::{
    ApplianceEvent, ApplianceHandle, ApplianceLink, Status, connect,
};
pub use crate::appliance::notice::Notice;
pub use crate::appliance::screens::View;
pub use crate::appliance::self_test::SelfTest;
pub use crate::appliance::state::{AfterOff, Fault, State};
pub use crate::config::storage::Retention;
pub use crate::config::timing::Timing;
pub use crate::models::ModelError;
pub use crate::records::{
    Archive, CellEntry, CellsEntry, CountEntry, ElapsedEntry, EngineEntry, FieldEntry, FieldImages,
    Filter, Images, LazyStore, ModelEntry, Record, RecordsError, SlideEntry, SlideSummaryEntry,
    Space, Store,
};
