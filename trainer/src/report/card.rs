//! The model card.

use std::fmt::Write;

use smearscope_artifacts::{Evaluation, FieldModel, Manifest};

use super::results::{Part, REPORT_FILE, Report};
use super::{cases, plots};
use crate::audit::{Audit, Shortcut};
use crate::metrics::{self, Confusion};
use crate::package::{AGREEMENT, Agreement};

/// The card's file name in a model folder.
pub(crate) const CARD_FILE: &str = "MODEL_CARD.md";

/// Heading of the section about the export.
const EXPORT: &str = "\n## Export\n\n";

/// Replaces a card's section about the export, or appends one.
pub(crate) fn replace_export(card: &str, export: &str) -> String {
    let (before, after) = match card.split_once(EXPORT) {
        None => (card, ""),
        Some((before, old)) => (before, old.find("\n## ").map_or("", |next| &old[next..])),
    };
    format!("{before}{EXPORT}{export}{after}")
}

/// The card's text. `commands` are those that made the model.
pub(crate) fn render_card(
    manifest: &Manifest<FieldModel>,
    report: &Report,
    agreements: &[Agreement],
    commands: &[String],
) -> String {
    let mut card = format!("# {} {}\n\n", manifest.name, manifest.version);
    if manifest.demo {
        card.push_str("> **Demo model, not for diagnosis.**\n\n");
    }
    for warning in &manifest.evaluation.warnings {
        let _ = write!(card, "> **Warning:** {warning}\n\n");
    }
    let evaluation = &manifest.evaluation;
    let decision = &manifest.model.decision;
    let input = &manifest.model.input;
    let leaky = metrics::leaky_prefix(&evaluation.figures);
    let [low, high] = decision.inconclusive;
    // Writing to a String cannot fail.
    let _ = write!(
        card,
        "Written by `smearscope-train fit`; do not edit.\n\n\
         - **Trained on:** {}\n\
         - **Intended use:** {}\n\
         - **Network:** {}, {} × {} pixels\n\
         - **Verdict:** p = σ((margin − {:.3}) / {:.3}), for even odds before the test; {} from {:.3} on, {} below, inconclusive between {low:.3} and {high:.3}\n\
         - **Licence of the weights:** {}\n\n\
         ## Figures\n\n\
         Measured on {} ({} positive, {} negative). {}\n\n\
         | {leaky}figure | value | 95 % interval, by groups |\n|---|---|---|\n",
        manifest.trained_on,
        manifest.intended_use,
        manifest.architecture,
        input.width,
        input.height,
        decision.offset,
        decision.temperature,
        manifest.model.labels.positive,
        decision.threshold,
        manifest.model.labels.negative,
        manifest.license,
        evaluation.dataset,
        evaluation.positives,
        evaluation.negatives,
        evaluation.protocol,
    );
    card.push_str(&figure_rows(evaluation));
    confusion(&mut card, leaky, report);
    if let Some(evidence) = &report.evidence {
        let positive = &manifest.model.labels.positive;
        let _ = write!(card, "\n**{leaky}evidence for {positive}:** {evidence}.\n");
    }
    plots(&mut card);
    if let Some(audit) = report.shortcuts {
        shortcuts(&mut card, leaky, audit);
    }
    if report.classes.len() > 2 {
        parts(&mut card, leaky, "class", &report.classes);
    }
    parts(&mut card, leaky, "camera", &report.cameras);
    parts(&mut card, leaky, "group", &report.groups);
    let _ = write!(
        card,
        "{EXPORT}Largest absolute difference from the trained network; up to {AGREEMENT:.0e} is accepted.\n\n\
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

/// The rows of a table of figures with their intervals.
pub(super) fn figure_rows(evaluation: &Evaluation) -> String {
    let mut rows = String::new();
    for (name, figure) in &evaluation.figures {
        let interval = match evaluation.intervals.get(name) {
            Some([low, high]) => format!("{low:.4} to {high:.4}"),
            None => "unknown".into(),
        };
        let name = name.replace('_', " ");
        let _ = writeln!(rows, "| {name} | {figure:.4} | {interval} |");
    }
    rows
}

fn confusion(card: &mut String, leaky: &str, report: &Report) {
    let Confusion {
        true_positives,
        false_negatives,
        true_negatives,
        false_positives,
    } = report.confusion;
    let decided = report.decided;
    let _ = write!(
        card,
        "\nNumbers of images, called at the threshold; in brackets those with a verdict, outside the inconclusive band. The \
         {leaky}classification error as defined by ALL-IDB is {}.\n\n\
         | truth | called positive | called negative |\n|---|---|---|\n\
         | {leaky}positive | {true_positives} ({}) | {false_negatives} ({}) |\n\
         | {leaky}negative | {false_positives} ({}) | {true_negatives} ({}) |\n",
        false_positives + false_negatives,
        decided.true_positives,
        decided.false_negatives,
        decided.false_positives,
        decided.true_negatives,
    );
}

fn plots(card: &mut String) {
    let folder = plots::PLOTS_FOLDER;
    let _ = write!(
        card,
        "\n## Plots\n\nAs PNG and SVG in `{folder}`; the evidence as PNG only.\n\n"
    );
    let evidence = (cases::NAME, "Evidence in the best and the worst cases");
    for (name, caption) in plots::PLOTS.into_iter().chain([evidence]) {
        let _ = writeln!(card, "![{caption}]({folder}/{name}.png)");
    }
}

fn shortcuts(card: &mut String, leaky: &str, audit: &Audit) {
    card.push_str(
        "\n## Shortcuts\n\nBalanced accuracy (the mean of sensitivity and specificity) of random forests that see no \
         cells, on the same images under the same protocol. The network calls an image positive from a probability of one half on.\n\n\
         | guess from | balanced accuracy |\n|---|---|\n",
    );
    let _ = writeln!(card, "| {leaky}the network | {:.3} |", audit.network);
    for Shortcut { name, accuracy } in &audit.shortcuts {
        let _ = writeln!(card, "| {leaky}{name} | {accuracy:.3} |");
    }
    let _ = writeln!(
        card,
        "| {leaky}all of these together | {:.3} |",
        audit.together
    );
    if let Some(family) = audit.most_telling {
        let _ = writeln!(card, "\nOf the families, {family} tells most.");
    }
}

/// Rows of a table; the report has the rest.
const MAX_ROWS: usize = 40;

fn parts(card: &mut String, leaky: &str, of: &str, parts: &[Part]) {
    if parts.len() < 2 {
        return;
    }
    let _ = write!(
        card,
        "\n| {of} | images | {leaky}accuracy | {leaky}sensitivity | {leaky}specificity | {leaky}decided share |\n\
         |---|---|---|---|---|---|\n"
    );
    for part in parts.iter().take(MAX_ROWS) {
        let figure = |name| match part
            .figures
            .get(&metrics::figure_name(name, !leaky.is_empty()))
        {
            Some(figure) => format!("{figure:.3}"),
            None => "none".into(),
        };
        let _ = writeln!(
            card,
            "| {leaky}{} | {} | {} | {} | {} | {} |",
            part.name.replace('|', "/"),
            part.images,
            figure("accuracy"),
            figure("sensitivity"),
            figure("specificity"),
            figure("decided_share")
        );
    }
    if parts.len() > MAX_ROWS {
        let more = parts.len() - MAX_ROWS;
        let _ = writeln!(card, "\nmore rows by {of}, {more}, are in `{REPORT_FILE}`.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_has_one_section_about_the_export() {
        let made = "\n## Made with\n\nfit\n";
        for (old, rest) in [("# m\n\n## Export\n\nold\n\n| a |\n", made), ("# m\n", "")] {
            let card = replace_export(&format!("{old}{rest}"), "new\n");
            assert_eq!(card, format!("# m\n\n## Export\n\nnew\n{rest}"));
            let again = replace_export(&card, "newer\n");
            assert_eq!(again, card.replace("new", "newer"));
        }
    }
}
