//! `smearscope-train inspect`: what is in a dataset.

use std::path::PathBuf;

use clap::Args;

use crate::dataset::{Groups, ImageInfo, Source, Thumbnail, find_overlaps, read_images};
use crate::error::TrainError;
use crate::report::{Inventory, draw_contact_sheet};
use crate::stdout;

/// Groups are images that no split separates: those of one subject or capture session, where these
/// are known, and exact and near duplicates. Images that share a part, as neighbouring fields do, are
/// listed, but do not merge groups. Prints a table, or JSON for scripts; exits with 3 if files cannot be
/// used.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    data: Source,
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
        let mut listing = self.data.list()?;
        let files = std::mem::take(&mut listing.files);
        let (images, unusable) = read_images(files, None, Thumbnail::of);
        let (images, thumbnails): (Vec<ImageInfo>, Vec<Thumbnail>) = images.into_iter().unzip();
        let groups = Groups::form(&self.data.root, self.data.layout, &images)?;
        let mut overlaps = find_overlaps(&thumbnails);
        overlaps.retain(|overlap| !groups.duplicates.all().any(|pair| pair == overlap.images));
        let inventory = Inventory::of(&self.data, listing, &images, &groups, &overlaps, &unusable);
        let text = if self.json {
            serde_json::to_string_pretty(&inventory).unwrap_or_default() + "\n"
        } else {
            inventory.to_string()
        };
        stdout::print(text);
        if let Some(path) = &self.sheet {
            draw_contact_sheet(path, &images, &groups)?;
        }
        match unusable.len() {
            0 => Ok(()),
            count => Err(TrainError::data(
                &self.data.root,
                format!("files that cannot be used: {count}"),
                "repair or remove them",
            )),
        }
    }
}
