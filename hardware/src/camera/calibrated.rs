//! A camera whose scale is known.

use crate::camera::frame::Frame;
use crate::camera::preview::{Preview, PreviewMode};
use crate::error::HardwareError;
use crate::ports::Camera;

/// Adds the scale to the frames of another camera.
pub struct CalibratedCamera {
    camera: Box<dyn Camera>,
    um_per_pixel: f32,
}

impl CalibratedCamera {
    /// `um_per_pixel` is the size of a pixel of the camera's frames in the plane of the specimen, µm. It holds for one
    /// objective and one mode of the camera.
    pub fn new(camera: Box<dyn Camera>, um_per_pixel: f32) -> Self {
        Self {
            camera,
            um_per_pixel,
        }
    }
}

impl Camera for CalibratedCamera {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        Ok(Frame {
            um_per_pixel: Some(self.um_per_pixel),
            ..self.camera.capture()?
        })
    }

    fn preview(&mut self, mode: PreviewMode) -> Result<Preview, HardwareError> {
        self.camera.preview(mode)
    }

    fn stop_preview(&mut self) {
        self.camera.stop_preview();
    }

    fn describe(&self) -> String {
        format!(
            "{}, {} µm per pixel",
            self.camera.describe(),
            self.um_per_pixel
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::MockCamera;

    #[test]
    fn frames_get_the_scale() {
        let camera = MockCamera::default();
        camera.will_deliver(vec![0xff], "field.jpg");
        let mut calibrated = CalibratedCamera::new(Box::new(camera), 0.15);
        assert_eq!(calibrated.capture().unwrap().um_per_pixel, Some(0.15));
        assert!(calibrated.describe().ends_with(", 0.15 µm per pixel"));
    }
}
