//! The kinds of cells that a source's class names mean.

use smearscope_artifacts::most_similar;

use super::datasets_file::SourceConfig;
use super::format::Format;
use crate::cell_kind::CellKind;

/// The kind of each class, `None` for those that are left out.
///
/// # Errors
/// A message that lists the names that mean nothing, with a suggestion.
pub(super) fn kinds(
    config: &SourceConfig,
    format: Format,
    classes: &[String],
) -> Result<Vec<Option<CellKind>>, String> {
    let kind_of = |class: &String| {
        if config.ignore.contains(class) {
            return Some(None);
        }
        let mapped = config.classes.get(class).copied();
        let known = mapped
            .or_else(|| format.kind_of(class))
            .or_else(|| CellKind::named(class));
        known.map(Some)
    };
    let kinds: Option<Vec<_>> = classes.iter().map(kind_of).collect();
    kinds.ok_or_else(|| {
        let unknown: Vec<&String> = classes
            .iter()
            .filter(|class| kind_of(class).is_none())
            .collect();
        explain(&unknown)
    })
}

/// Class names in `classes` and `ignore` that the source does not use.
pub(super) fn unused_names(config: &SourceConfig, classes: &[String]) -> Vec<String> {
    let stated = config.classes.keys().chain(&config.ignore);
    stated
        .filter(|name| !classes.contains(name))
        .cloned()
        .collect()
}

fn explain(unknown: &[&String]) -> String {
    const MAX_NAMED: usize = 20;

    let kinds = CellKind::names();
    let shown = unknown.iter().take(MAX_NAMED).map(|class| {
        let plain = class.to_lowercase().replace([' ', '-'], "_");
        let class = class.escape_debug();
        match most_similar(&plain, kinds.iter().copied()) {
            Some(kind) => format!("`{class}` (did you mean {kind}?)"),
            None => format!("`{class}`"),
        }
    });
    let shown: Vec<String> = shown.collect();
    format!(
        "{} of its class names are no kinds of cells: {}",
        unknown.len(),
        shown.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> SourceConfig {
        toml::from_str(&format!("path = 'a'\n{text}")).unwrap()
    }

    #[test]
    fn names_are_mapped_left_out_or_known() {
        let config =
            config("classes = { WBC = 'leukocyte', x = 'platelet' }\nignore = ['dirt', 'y']");
        let classes = ["WBC", "dirt", "monocyte"].map(String::from);
        let expected = [Some(CellKind::Leukocyte), None, Some(CellKind::Monocyte)];
        assert_eq!(kinds(&config, Format::Coco, &classes), Ok(expected.into()));
        assert_eq!(unused_names(&config, &classes), ["x", "y"]);
    }

    #[test]
    fn names_of_known_collections_need_no_map() {
        let classes = ["all", "hem"].map(String::from);
        let mapped = config("classes = { hem = 'lymphocyte' }");
        let expected = [Some(CellKind::Lymphoblast), Some(CellKind::Lymphocyte)];
        assert_eq!(kinds(&mapped, Format::CNmc, &classes), Ok(expected.into()));
        let problem = kinds(&config(""), Format::CNmc, &classes).unwrap_err();
        assert_eq!(problem, "1 of its class names are no kinds of cells: `hem`");
        let classes = ["healthy", "leukemia"].map(String::from);
        let expected = [Some(CellKind::Leukocyte), Some(CellKind::Lymphoblast)];
        assert_eq!(
            kinds(&config(""), Format::AllIdb2, &classes),
            Ok(expected.into())
        );
        assert!(kinds(&config(""), Format::Folders, &classes).is_err());
    }

    #[test]
    fn unknown_names_are_listed_with_a_suggestion() {
        let classes = ["Reactive Lymphocyte", "RBC", "platelet"].map(String::from);
        let problem = kinds(&config(""), Format::Voc, &classes).unwrap_err();
        assert_eq!(
            problem,
            "2 of its class names are no kinds of cells: `Reactive Lymphocyte` \
             (did you mean reactive_lymphocyte?), `RBC`"
        );
    }
}
