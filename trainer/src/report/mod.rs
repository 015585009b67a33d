//! What was measured, for scripts and for people.

mod card;
mod cases;
mod cell_evaluation;
mod cell_inventory;
mod cell_sheet;
mod cells_report;
mod contact_sheet;
mod description;
mod image_grid;
mod inventory;
mod plots;
mod results;
mod sheet_pages;
mod training_log;

pub(crate) use card::{CARD_FILE, render_card, replace_export};
pub(crate) use cases::FoldNetworks;
pub(crate) use cell_evaluation::CellEvaluation;
pub(crate) use cell_inventory::CellInventory;
pub(crate) use cell_sheet::draw_cell_sheet;
pub(crate) use cells_report::CellsReport;
pub(crate) use contact_sheet::draw_contact_sheet;
pub(crate) use description::Description;
pub(crate) use image_grid::{PLAIN, SMALL};
pub(crate) use inventory::Inventory;
pub(crate) use plots::{Measured, PLOTS_FOLDER, write_plots};
pub(crate) use results::{REPORT_FILE, Report, trainings};
pub(crate) use training_log::{TRAINING_LOG, save_training_log};
