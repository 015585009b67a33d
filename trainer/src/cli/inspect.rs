//! `smearscope-train inspect`: what is in a dataset.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use serde::Serialize;

use crate::dataset::{
    CellCollection, CellSplitPlan, Groups, ImageInfo, Source, Thumbnail, find_overlaps, read_images,
};
use crate::error::TrainError;
use crate::report::{CellInventory, Inventory, draw_cell_sheet, draw_contact_sheet};
use crate::stdout;

/// Groups are images that no split separates: those of one subject or capture session, where these
/// are known, and exact and near duplicates. Images that share a part, as neighbouring fields do, are
/// listed, but do not merge groups. Prints a table, or JSON for scripts; exits with 3 if files cannot be
/// used.
///
/// With --datasets, shows the cells of all sources that a file names instead: their kinds, scales and groups,
/// and how they would be split.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(group = ArgGroup::new("inspected").args(["root", "datasets"]).required(true))]
pub(crate) struct Inspect {
    #[command(flatten)]
    data: Option<Source>,
    /// File that names sources of labelled cells, such as datasets.toml
    #[arg(long, value_name = "FILE")]
    datasets: Option<PathBuf>,
    #[command(flatten)]
    split: CellSplitPlan,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Draw small copies of all images into this PNG, and into FILE-2.png and so on if they are many
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
}

impl Inspect {
    /// Prints the inventory and draws the contact sheet.
    ///
    /// # Errors
    /// [`TrainError::Data`] if the dataset cannot be listed or grouped and, after printing, if files
    /// cannot be used; [`TrainError::Output`] if the contact sheet cannot be written.
    pub(super) fn run(&self) -> Result<(), TrainError> {
        match (&self.data, &self.datasets) {
            (Some(data), _) => self.inspect_fields(data),
            (None, Some(datasets)) => self.inspect_cells(datasets),
            // clap requires one of them.
            (None, None) => Ok(()),
        }
    }

    fn inspect_fields(&self, data: &Source) -> Result<(), TrainError> {
        let mut listing = data.list()?;
        let files = std::mem::take(&mut listing.files);
        let (images, unusable) = read_images(files, None, |image, _| Thumbnail::of(image));
        let (images, thumbnails): (Vec<ImageInfo>, Vec<Thumbnail>) = images.into_iter().unzip();
        let groups = Groups::form(&data.root, data.layout, &images)?;
        let mut overlaps = find_overlaps(&thumbnails);
        overlaps.retain(|overlap| !groups.duplicates.all().any(|pair| pair == overlap.images));
        self.print(&Inventory::of(
            data, listing, &images, &groups, &overlaps, &unusable,
        ));
        if let Some(path) = &self.sheet {
            draw_contact_sheet(path, &images, &groups)?;
        }
        match unusable.len() {
            0 => Ok(()),
            count => Err(TrainError::data(
                &data.root,
                format!("files that cannot be used: {count}"),
                "repair or remove them",
            )),
        }
    }

    fn inspect_cells(&self, datasets: &Path) -> Result<(), TrainError> {
        let collection = CellCollection::read(datasets)?;
        let split = match collection.split(&self.split) {
            // Too few groups are no reason to show nothing.
            Err(TrainError::Training { problem, .. }) => Err(problem),
            split => Ok(split?),
        };
        self.print(&CellInventory::of(&collection, split));
        if let Some(path) = &self.sheet {
            draw_cell_sheet(path, &collection)?;
        }
        collection.refuse_losses()
    }

    fn print(&self, inventory: &(impl Serialize + Display)) {
        let text = if self.json {
            serde_json::to_string_pretty(inventory).unwrap_or_default() + "\n"
        } else {
            inventory.to_string()
        };
        stdout::print(text);
    }
}
