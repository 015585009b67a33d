//! OLED and LEDs of the bench. Either may fail without stopping the other, or the appliance.

use smearscope_hardware::{Canvas, LedPatterns, Screen, StatusLeds, with_causes};

use crate::appliance::screens::{self, View};

pub(crate) struct FrontPanel {
    leds: Box<dyn StatusLeds>,
    screen: Box<dyn Screen>,
    /// What both show; `None` if that is not certain.
    shown: Option<(LedPatterns, Canvas)>,
}

impl FrontPanel {
    pub(crate) fn new(leds: Box<dyn StatusLeds>, screen: Box<dyn Screen>) -> Self {
        Self {
            leds,
            screen,
            shown: None,
        }
    }

    /// Brightens a screen that was dimmed against burn-in.
    pub(crate) fn wake(&mut self) {
        self.screen.wake();
    }

    /// Has the next [`FrontPanel::show`] send the picture even if it is unchanged: the display may have lost its power
    /// for a moment, which no driver notices.
    pub(crate) fn redraw(&mut self) {
        self.shown = None;
    }

    /// Shows a view, unless it is shown already.
    pub(crate) fn show(&mut self, view: &View<'_>) {
        let wanted = (
            screens::lights(view.state),
            view.picture(self.screen.size()),
        );
        if self.shown.as_ref() == Some(&wanted) {
            return;
        }
        let leds = self.leds.show(wanted.0);
        let screen = self.screen.show(&wanted.1);
        self.shown = Some(wanted).filter(|_| leds.is_ok() && screen.is_ok());
        for error in [leds.err(), screen.err()].into_iter().flatten() {
            // The board logs its faults once.
            log::debug!("{}", with_causes(&error));
        }
    }
}
