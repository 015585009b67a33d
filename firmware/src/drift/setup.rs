//! With what a field was photographed, as far as it changes the figures.

use crate::records::FieldEntry;

/// Camera, mode, objective and light calibration of a field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct DriftSetup {
    camera: Option<String>,
    mode: Option<String>,
    objective: Option<String>,
    light_made_at: Option<String>,
}

impl DriftSetup {
    /// The setup of a recorded field.
    pub(super) fn of(field: &FieldEntry) -> Self {
        let Some(camera) = &field.camera else {
            return Self::default();
        };
        let light = camera.light.as_ref();
        Self {
            camera: camera.name.clone(),
            mode: camera.mode.clone(),
            // Earlier versions told of none in two ways.
            objective: camera.objective.clone().filter(|name| !name.is_empty()),
            light_made_at: light.map(|light| light.made_at.clone()),
        }
    }
}
