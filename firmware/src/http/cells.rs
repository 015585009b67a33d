//! The cells of a recorded slide: a gallery, and how they are divided among the classes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use smearscope_artifacts::Share;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::config::Config;
use crate::http::blocking::in_background;
use crate::http::export::Exports;
use crate::http::problem::Problem;
use crate::http::problem_responses::{BadRequest, NotFound};
use crate::http::records::{bad_request, folder, slide_of};
use crate::records::{Archive, CellEntry, FieldEntry, Filter};

/// Most cells of an answer, and how many there are by default.
const MAX_LIMIT: usize = 5000;
const DEFAULT_LIMIT: usize = 1000;

/// How many cells are sent.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CellsQuery {
    /// Most cells to send, the most suspicious ones; 1,000 by default.
    #[param(required = false, minimum = 1, maximum = 5000)]
    limit: Option<usize>,
}

/// The cells of a slide, each once.
#[derive(Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct SlideCells {
    /// By the probability that they are blasts, the highest first; what does not count comes last.
    cells: Vec<SlideCell>,
    /// How many there are in all.
    total: usize,
    /// How the cells that count are divided among the classes, the most frequent first.
    differential: Vec<ClassShare>,
}

/// A cell of a slide.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct SlideCell {
    /// The id of its field.
    #[schema(value_type = String, format = "uuid")]
    field: Uuid,
    /// The number of its field within the slide, from 1.
    field_number: u32,
    /// Size of a pixel of the field, µm; null if it is unknown.
    #[schema(required)]
    um_per_pixel: Option<f32>,
    #[serde(flatten)]
    cell: CellEntry,
}

/// The cells of a class.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct ClassShare {
    class: String,
    /// Number of its cells.
    cells: usize,
    /// Their share of all cells that count, 0 to 1.
    share: f64,
    /// The 95 % interval of the share (Wilson 1927), by chance alone: the errors of the model are not in it.
    interval: [f64; 2],
}

/// The cells of a slide, each once, the most suspicious first.
#[utoipa::path(get, path = "/v1/slides/{id}/cells", tag = "records",
    params(("id" = String, Path, format = "uuid", description = "The slide's id."), CellsQuery),
    responses(
        (status = 200, description = "The cells; none if the model judges whole fields.", body = SlideCells),
        BadRequest, NotFound,
))]
pub(crate) async fn slide_cells(
    State(config): State<Arc<Config>>,
    State(exports): State<Arc<Exports>>,
    Path(id): Path<Uuid>,
    Query(query): Query<CellsQuery>,
) -> Result<Json<SlideCells>, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(bad_request(format!(
            "limit = {limit}: must be from 1 to {MAX_LIMIT}"
        )));
    }
    let folder = folder(&config)?;
    let _permit = exports.gallery().await;
    let read = move |is_wanted: &dyn Fn() -> bool| {
        let archive = Archive::open(&folder)?;
        slide_of(&archive, id)?;
        let filter = Filter::of_slide(id);
        let mut gallery = Gallery::new(limit);
        archive.fields(&filter, |record| {
            if !is_wanted() {
                return Err(Problem::internal("the client is gone"));
            }
            let cells = archive.cells(record.field.id)?;
            gallery.add(&record.field, cells.unwrap_or_default());
            Ok::<_, Problem>(())
        })?;
        Ok::<_, Problem>(gallery.finish())
    };
    in_background("gallery", read).await?.map(Json)
}

/// Collects the most suspicious cells of a slide, and counts all.
struct Gallery {
    limit: usize,
    cells: Vec<SlideCell>,
    total: usize,
    classes: BTreeMap<String, usize>,
}

impl Gallery {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            cells: Vec::new(),
            total: 0,
            classes: BTreeMap::new(),
        }
    }

    /// Adds the cells of a field that no earlier field shows.
    fn add(&mut self, field: &FieldEntry, cells: Vec<CellEntry>) {
        for cell in cells.into_iter().filter(|cell| cell.new) {
            self.total += 1;
            if counts(&cell) {
                *self.classes.entry(cell.class.clone()).or_default() += 1;
            }
            self.cells.push(SlideCell {
                field: field.id,
                field_number: field.number,
                um_per_pixel: field.scale.map(|scale| scale.um_per_pixel),
                cell,
            });
        }
        self.keep_most_suspicious();
    }

    fn keep_most_suspicious(&mut self) {
        let rank =
            |SlideCell { cell, .. }: &SlideCell| (cell.call == "artefact", -cell.blast_probability);
        self.cells.sort_by(|one, other| {
            let [(one, of_one), (other, of_other)] = [one, other].map(rank);
            one.cmp(&other).then(of_one.total_cmp(&of_other))
        });
        self.cells.truncate(self.limit);
    }

    fn finish(self) -> SlideCells {
        let of = self.classes.values().sum();
        let share = |(class, count): (String, usize)| {
            let share = Share { count, of };
            Some(ClassShare {
                class,
                cells: count,
                share: share.value()?,
                interval: share.interval()?,
            })
        };
        let mut differential: Vec<_> = self.classes.into_iter().filter_map(share).collect();
        differential.sort_by_key(|class| std::cmp::Reverse(class.cells));
        SlideCells {
            cells: self.cells,
            total: self.total,
            differential,
        }
    }
}

/// Whether a recorded cell is one of those that are counted.
fn counts(cell: &CellEntry) -> bool {
    matches!(&*cell.call, "blast" | "other_leukocyte")
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::CellCall;

    use super::*;
    use crate::analysis::examples::counted;

    fn field(number: u32) -> FieldEntry {
        let json = serde_json::json!({
            "id": Uuid::from_u128(number.into()), "slide": Uuid::nil(), "number": number,
            "captured_at": "2026-01-01T12:00:00.000Z", "source": "field.jpg", "verdict": "Inconclusive", "reason": null,
            "probability": null, "log_odds": null, "threshold": null, "quality": {},
            "scale": {"um_per_pixel": 0.15, "source": "stated", "red_cells": null, "spread": null},
            "standing": {"verdict": "Inconclusive", "reason": null, "probability": null, "fields": 1, "refused": 0},
            "model": {"name": "m", "version": "1.0.0", "manifest_sha256": "", "demo": true},
            "engine": {"name": "embedded", "version": "1", "device": "CPU"},
            "elapsed_ms": {"capture": 0.0, "preparation": 0.0, "inference": null, "storing": 0.0},
            "image": {"path": "images/a/b.jpg", "sha256": ""}, "overlay": null,
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_most_suspicious_cells_come_first_and_each_counts_once() {
        use CellCall::{Artefact, Blast, Novel, OtherLeukocyte};
        let cells = |calls: &[CellCall]| CellEntry::of(counted(calls).cells().unwrap());
        let mut gallery = Gallery::new(4);
        gallery.add(
            &field(1),
            cells(&[Artefact, OtherLeukocyte, OtherLeukocyte, Novel]),
        );
        let mut again = cells(&[Blast, Blast]);
        again[1].new = false;
        gallery.add(&field(2), again);
        let found = gallery.finish();
        assert_eq!(found.total, 5);
        let order: Vec<_> = found
            .cells
            .iter()
            .map(|cell| (cell.field_number, cell.cell.number, &*cell.cell.call))
            .collect();
        let expected = [
            (2, 1, "blast"),
            (1, 2, "other_leukocyte"),
            (1, 3, "other_leukocyte"),
            (1, 4, "novel"),
        ];
        assert_eq!(order, expected);
        let classes: Vec<_> = found
            .differential
            .iter()
            .map(|class| (&*class.class, class.cells))
            .collect();
        assert_eq!(classes, [("neutrophil", 2), ("lymphoblast", 1)]);
        // scipy.stats.binomtest(2, 3).proportion_ci(method="wilson"), to three digits.
        let [low, high] = found.differential[0].interval;
        assert!((low - 0.208).abs() < 5e-4 && (high - 0.939).abs() < 5e-4);
    }
}
