//! The report and the card of a model that counts cells.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
use smearscope_artifacts::{CellsModel, Manifest, Ruler};

use super::card::figure_rows;
use super::cell_evaluation::CellEvaluation;
use super::results::{REPORT_FILE, Training};
use crate::audit::CellAudit;
use crate::dataset::TrainedOn;
use crate::error::TrainError;
use crate::package::{self, CellsAgreement};

/// What was measured of a model, and what it was trained on.
#[derive(Debug, Serialize)]
pub(crate) struct CellsReport<'a> {
    pub(crate) manifest: &'a Manifest<CellsModel>,
    pub(crate) measured: &'a CellEvaluation,
    /// Of a cell network that was trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audit: Option<&'a CellAudit>,
    pub(crate) trainings: Vec<Training<'a>>,
    pub(crate) trained_on: TrainedOn,
}

impl CellsReport<'_> {
    /// Writes the report into a model folder.
    ///
    /// # Errors
    /// [`TrainError::Output`].
    pub(crate) fn save(&self, folder: &Path) -> Result<(), TrainError> {
        let json = serde_json::to_vec_pretty(self)
            .map_err(|error| TrainError::output(&folder.join(REPORT_FILE), error.into()))?;
        package::save(folder, REPORT_FILE, &json).map(|_| ())
    }

    /// The model card. `commands` are those that made the model.
    pub(crate) fn card(&self, agreements: &[CellsAgreement], commands: &[String]) -> String {
        let Manifest {
            name,
            version,
            demo,
            trained_on,
            intended_use,
            license,
            evaluation,
            model,
            ..
        } = self.manifest;
        let mut card = format!("# {name} {version}\n\n");
        if *demo {
            card.push_str("> **Demo model, not for diagnosis.**\n\n");
        }
        for warning in &evaluation.warnings {
            let _ = write!(card, "> **Warning:** {warning}\n\n");
        }
        let classes: Vec<&str> = model
            .cell
            .classes
            .iter()
            .map(|class| class.name.as_str())
            .collect();
        let count = &model.count;
        let scale = scale_in_words(model.ruler);
        // Writing to a String cannot fail.
        let _ = write!(
            card,
            "Written by `smearscope-train fit`; do not edit.\n\n\
             - **Trained on:** {trained_on}\n\
             - **Intended use:** {intended_use}\n\
             - **Finder:** leukocytes and red cells at {} µm per pixel\n\
             - **Cell network:** {} × {} pixels of {} µm around each leukocyte; {}\n\
             - **Verdict:** {}\n\
             - **Calls by which counts are corrected:** {} of {} blasts and {} of {} other leukocytes were called blasts\n\
             - **Scale:** {scale}\n\
             - **Licence of the weights:** {license}\n\n\
             ## Figures\n\n\
             Measured on {} {}\n\n\
             | figure | value | 95 % interval |\n|---|---|---|\n",
            model.finder.input.um_per_pixel,
            model.cell.input.side,
            model.cell.input.side,
            model.cell.input.um_per_pixel,
            classes.join(", "),
            count.words(),
            count.sensitivity.called,
            count.sensitivity.of,
            count.false_positives.called,
            count.false_positives.of,
            evaluation.dataset,
            evaluation.protocol,
        );
        card.push_str(&figure_rows(evaluation));
        let _ = write!(
            card,
            "\n## What was measured\n\n```text\n{}```\n",
            self.measured
        );
        if let Some(audit) = self.audit {
            let _ = write!(
                card,
                "\n## Audits\n\nWhat else than cells tells, by balanced accuracy.\n\n```text\n{audit}```\n"
            );
        }
        let _ = write!(
            card,
            "\n## Export\n\n\
             Largest difference from the trained networks.\n\n\
             | engine | pictures | probability | evidence | place of a cell, pixels |\n|---|---|---|---|---|\n"
        );
        for agreement in agreements {
            let _ = writeln!(
                card,
                "| {} {} on {} | {} | {:.1e} | {:.1e} | {:.1e} |",
                agreement.engine.engine,
                agreement.engine.version,
                agreement.engine.device,
                agreement.pictures,
                agreement.probability,
                agreement.evidence,
                agreement.place
            );
        }
        let _ = write!(
            card,
            "\n## Made with\n\n```sh\n{}\n```\n",
            commands.join("\n")
        );
        card
    }
}

/// Where the scale of a field comes from.
fn scale_in_words(ruler: Option<Ruler>) -> String {
    let words = |ruler: Ruler| {
        let Ruler {
            red_cell_um,
            min_cells,
            ..
        } = ruler;
        format!("a median red cell is {red_cell_um} µm wide; at least {min_cells} of them")
    };
    ruler.map_or_else(
        || "must be stated; by red cells it was not reliable".into(),
        words,
    )
}
