//! The model card, written from what was measured.

use std::fmt::Write;

use smearscope_artifacts::Manifest;

use crate::package::{AGREEMENT, Agreement};

/// The card's file name in a model folder.
pub(crate) const FILE_NAME: &str = "README.md";

/// The card's text. `commands` made the model.
pub(crate) fn render(manifest: &Manifest, agreements: &[Agreement], commands: &[String]) -> String {
    let mut card = format!("# {} {}\n\n", manifest.name, manifest.version);
    if manifest.demo {
        card.push_str("> **Demo model, not for diagnosis.**\n\n");
    }
    let evaluation = &manifest.evaluation;
    let decision = &manifest.decision;
    let input = &manifest.input;
    let [low, high] = decision.inconclusive;
    // Writing to a String cannot fail.
    let _ = write!(
        card,
        "Written by `smearscope-train fit`; do not edit.\n\n\
         - **Trained on:** {}\n\
         - **Intended use:** {}\n\
         - **Network:** {}, {} × {} pixels\n\
         - **Verdict:** p = σ(margin / {:.3}); {} from {} on, {} below, none between {low} and {high}\n\
         - **Licence of the weights:** {}\n\n\
         ## Figures\n\n\
         Measured on {} ({} positive, {} negative). {}\n\n\
         | figure | value | 95 % interval, by groups |\n|---|---|---|\n",
        manifest.trained_on,
        manifest.intended_use,
        manifest.architecture,
        input.width,
        input.height,
        decision.temperature,
        manifest.labels.positive,
        decision.threshold,
        manifest.labels.negative,
        manifest.license,
        evaluation.dataset,
        evaluation.positives,
        evaluation.negatives,
        evaluation.protocol,
    );
    for (name, figure) in &evaluation.figures {
        let interval = match evaluation.intervals.get(name) {
            Some([low, high]) => format!("{low:.4} to {high:.4}"),
            None => "unknown".into(),
        };
        let name = name.replace('_', " ");
        let _ = writeln!(card, "| {name} | {figure:.4} | {interval} |");
    }
    let _ = write!(
        card,
        "\n## Export\n\nLargest absolute difference from the trained network; more than {AGREEMENT:.0e} is refused.\n\n\
         | engine | images | probability | evidence |\n|---|---|---|---|\n"
    );
    for agreement in agreements {
        let _ = writeln!(
            card,
            "| {} {} on {} | {} | {:.1e} | {:.1e} |",
            agreement.engine.engine,
            agreement.engine.version,
            agreement.engine.device,
            agreement.images,
            agreement.probability,
            agreement.evidence
        );
    }
    let _ = write!(
        card,
        "\n## Made with\n\n```sh\n{}\n```\n",
        commands.join("\n")
    );
    card
}
