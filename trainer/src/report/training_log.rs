//! The epochs of all trainings as a table.

use std::path::Path;

use csv::Writer;

use crate::error::TrainError;
use crate::metrics;
use crate::package;
use crate::training::History;

/// The file name.
pub(crate) const TRAINING_LOG: &str = "training.csv";

/// Writes a row per epoch of each training, by its name: learning rate, losses, validation figures and
/// how long the epoch took. Names of leaky columns say so.
///
/// # Errors
/// [`TrainError::Output`] if the file cannot be written.
pub(crate) fn save_training_log(
    histories: &[(String, History)],
    leaky: bool,
    folder: &Path,
) -> Result<(), TrainError> {
    let table = table(histories, leaky)
        .map_err(|error| TrainError::output(&folder.join(TRAINING_LOG), error.into()))?;
    package::save(folder, TRAINING_LOG, &table).map(|_| ())
}

fn table(histories: &[(String, History)], leaky: bool) -> Result<Vec<u8>, csv::Error> {
    let mut writer = Writer::from_writer(Vec::new());
    let epochs = histories.iter().flat_map(|(_, history)| &history.epochs);
    let figures = epochs.into_iter().next();
    let figures: Vec<&str> = figures
        .iter()
        .flat_map(|epoch| epoch.figures.keys().map(String::as_str))
        .collect();
    let named = |name: &str| metrics::figure_name(name, leaky);
    let header = ["training", "epoch", "learning_rate"].map(String::from);
    let losses = [named("loss"), named("validation_loss")];
    let columns = header.into_iter().chain(losses);
    let columns = columns.chain(figures.iter().map(|name| named(name)));
    writer.write_record(columns.chain(["seconds".into()]))?;
    for (name, history) in histories {
        let timed = history.epochs.iter().zip(&history.seconds);
        for ((epoch, seconds), number) in timed.zip(1..) {
            let row = [name.clone(), number.to_string()];
            let numbers = [epoch.learning_rate, epoch.loss, epoch.validation_loss];
            let row = row.into_iter().chain(numbers.map(|it| it.to_string()));
            let row = row.chain(figures.iter().map(|&figure| {
                let figure = epoch.figures.get(figure).copied().flatten();
                figure.map(|figure| figure.to_string()).unwrap_or_default()
            }));
            writer.write_record(row.chain([format!("{seconds:.1}")]))?;
        }
    }
    let table = writer.into_inner();
    table.map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::Epoch;

    #[test]
    fn every_epoch_is_a_row() {
        let history = History {
            best: 1,
            epochs: vec![
                Epoch::example(0.5, 0.25, Some(0.75)),
                Epoch::example(0.375, 0.5, None),
            ],
            seconds: vec![1.25, 2.0],
        };
        let histories = [("fold 1 of 2".to_owned(), history)];
        let folder = tempfile::tempdir().unwrap();
        save_training_log(&histories, false, folder.path()).unwrap();
        let table = std::fs::read_to_string(folder.path().join(TRAINING_LOG)).unwrap();
        let expected = "training,epoch,learning_rate,loss,validation_loss,validation_auroc,seconds\n\
            fold 1 of 2,1,0.001,0.5,0.25,0.75,1.2\n\
            fold 1 of 2,2,0.001,0.375,0.5,,2.0\n";
        assert_eq!(table, expected);
        save_training_log(&histories, true, folder.path()).unwrap();
        let table = std::fs::read_to_string(folder.path().join(TRAINING_LOG)).unwrap();
        let header = table.lines().next().unwrap();
        assert!(header.contains("leaky_validation_auroc"), "{header}");
    }
}
