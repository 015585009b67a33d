//! Drives OLED and LEDs of the bench. A failure of one stops neither the other nor the appliance.

use std::time::Duration;

use smearscope_hardware::{Board, Canvas, LedPatterns, Screen, StatusLeds, with_causes};

use crate::appliance::leds::led_patterns;
use crate::appliance::notice::Notice;
use crate::appliance::screens::View;
use crate::appliance::state::{Fault, State};

/// The OLED and the LEDs. It sends them nothing that they show already.
pub(crate) struct FrontPanel {
    leds: Box<dyn StatusLeds>,
    screen: Box<dyn Screen>,
    /// What both show; `None` if unknown.
    shown: Option<(LedPatterns, Canvas)>,
}

impl FrontPanel {
    /// A panel of which it is unknown what it shows.
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

    /// Makes the next [`FrontPanel::show`] send the picture even if it is unchanged. The display may have lost power for
    /// a moment, which its driver cannot detect.
    pub(crate) fn redraw(&mut self) {
        self.shown = None;
    }

    /// Shows a view, unless the panel shows it already.
    pub(crate) fn show(&mut self, view: &View<'_>) {
        let wanted = (led_patterns(view.state), view.picture(self.screen.size()));
        if self.shown.as_ref() == Some(&wanted) {
            return;
        }
        let leds = self.leds.show(wanted.0);
        let screen = self.screen.show(&wanted.1);
        self.shown = Some(wanted).filter(|_| leds.is_ok() && screen.is_ok());
        for error in [leds.err(), screen.err()].into_iter().flatten() {
            // The board itself logs each fault once.
            log::debug!("{}", with_causes(&error));
        }
    }
}

/// Shows a fault that prevents the appliance from starting. It stays on the screen after the program has ended.
pub(crate) fn show_fault(board: Board, message: &str) {
    let state = State::Fault(Fault {
        message: message.into(),
        is_final: true,
    });
    FrontPanel::new(board.leds, board.screen).show(&View {
        state: &state,
        identity: None,
        slide: 1,
        fields: 0,
        is_disk_low: false,
        clock: None,
        since: Duration::ZERO,
        notice: &Notice::default(),
        address: None,
        rule: None,
        count: None,
    });
}
