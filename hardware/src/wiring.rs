//! The wiring of a bench to a Raspberry Pi, as a table and as a drawing, generated from the configured pins.

use std::fmt::Write;

use crate::config::PiPins;

/// Function of a pin of the 40-pin header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderPin {
    /// 3.3 V supply, header pins 1 and 17.
    Volts3,
    /// 5 V supply, header pins 2 and 4. No GPIO line tolerates it.
    Volts5,
    /// Ground, 0 V: eight pins of the header.
    Ground,
    /// A GPIO line, by its BCM number.
    Gpio(u8),
}

use HeaderPin::{Gpio, Ground, Volts3, Volts5};

/// The 40-pin header of a Raspberry Pi in the order of the pin numbers, from 1: odd ones on the left, even
/// ones on the right (Raspberry Pi documentation, "GPIO and the 40-pin header").
pub const HEADER: [HeaderPin; 40] = [
    Volts3,
    Volts5, //
    Gpio(2),
    Volts5, //
    Gpio(3),
    Ground, //
    Gpio(4),
    Gpio(14), //
    Ground,
    Gpio(15), //
    Gpio(17),
    Gpio(18), //
    Gpio(27),
    Ground, //
    Gpio(22),
    Gpio(23), //
    Volts3,
    Gpio(24), //
    Gpio(10),
    Ground, //
    Gpio(9),
    Gpio(25), //
    Gpio(11),
    Gpio(8), //
    Ground,
    Gpio(7), //
    Gpio(0),
    Gpio(1), //
    Gpio(5),
    Ground, //
    Gpio(6),
    Gpio(12), //
    Gpio(13),
    Ground, //
    Gpio(19),
    Gpio(16), //
    Gpio(26),
    Gpio(20), //
    Ground,
    Gpio(21), //
];

/// Header pins of the OLED: bus 1 has its data on GPIO 2 and its clock on GPIO 3.
const OLED: [(&str, u8); 4] = [("VCC", 1), ("SDA", 3), ("SCL", 5), ("GND", 9)];
/// Header pins of the ground rails for the parts on the left and on the right of the header.
const RAILS: [u8; 2] = [25, 20];
/// Limits the current of an LED to about 4 mA, a quarter of what a pin may supply.
const RESISTOR: &str = "330 Ω";

impl HeaderPin {
    /// Function of the pin with the given number; `None` unless it is 1 to 40.
    pub fn at(number: u8) -> Option<Self> {
        HEADER.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Number of the header pin with the given GPIO line; `None` if the header has no such line.
    pub fn number_of(gpio: u8) -> Option<u8> {
        (1..)
            .zip(HEADER)
            .find_map(|(number, pin)| (pin == Gpio(gpio)).then_some(number))
    }
}

impl std::fmt::Display for HeaderPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Volts3 => f.write_str("3.3 V"),
            Volts5 => f.write_str("5 V"),
            Ground => f.write_str("ground"),
            Gpio(number) => write!(f, "GPIO {number}"),
        }
    }
}

/// A part between a GPIO line and the ground rail on the same side.
struct Branch {
    name: &'static str,
    gpio: u8,
    /// Colour of the LED; `None` for the button.
    led: Option<&'static str>,
}

fn branches(pins: &PiPins) -> [Branch; 4] {
    let branch = |name, gpio, led| Branch { name, gpio, led };
    [
        branch("push-button", pins.button_pin, None),
        branch("amber LED", pins.amber_pin, Some("#e69f00")),
        branch("red LED", pins.red_pin, Some("#d62728")),
        branch("green LED", pins.green_pin, Some("#2ca02c")),
    ]
}

/// Whether a header pin is on the left: those with odd numbers are.
fn is_left(number: u8) -> bool {
    number % 2 == 1
}

fn rail(number: u8) -> u8 {
    if is_left(number) { RAILS[0] } else { RAILS[1] }
}

/// The wiring as a table in Markdown.
pub fn table(pins: &PiPins) -> String {
    let mut text = String::from("| part | line | header pin | other end |\n|---|---|---|---|\n");
    for Branch { name, gpio, led } in branches(pins) {
        let Some(number) = HeaderPin::number_of(gpio) else {
            continue;
        };
        let way = match led {
            Some(_) => format!("{RESISTOR}, LED, "),
            None => String::new(),
        };
        let rail = rail(number);
        row(
            &mut text,
            name,
            gpio_line(gpio),
            number,
            &format!("{way}ground (pin {rail})"),
        );
    }
    for (terminal, number) in OLED {
        let line = HeaderPin::at(number).map_or_else(String::new, |pin| pin.to_string());
        row(&mut text, &format!("OLED {terminal}"), line, number, "");
    }
    text
}

fn gpio_line(gpio: u8) -> String {
    Gpio(gpio).to_string()
}

fn row(text: &mut String, part: &str, line: impl std::fmt::Display, number: u8, end: &str) {
    line_of(text, format_args!("| {part} | {line} | {number} | {end} |"));
}

/// Appends a line. Writing to a string cannot fail.
fn line_of(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{line}");
}

// Geometry of the drawing, in SVG units.
const WIDTH: u32 = 1000;
const HEIGHT: u32 = 870;
const TOP: u32 = 100;
const PITCH: u32 = 32;
/// Columns of pins.
const LEFT: u32 = 410;
const RIGHT: u32 = 590;
/// Horizontal positions of the ground rails.
const LEFT_RAIL: u32 = 90;
const RIGHT_RAIL: u32 = 910;
const BLACK: &str = "#222222";

/// The wiring as an SVG drawing.
pub fn svg(pins: &PiPins) -> String {
    let mut drawing = Drawing::default();
    drawing.line_of(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="14">"#
    ));
    drawing.line_of(format_args!(
        r##"<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>"##
    ));
    drawing.text(
        (WIDTH / 2, 36),
        "middle",
        "smearscope on a Raspberry Pi: wiring with the default pins",
    );
    drawing.text((WIDTH / 2, 60), "middle", "Seen from above; pin 1 is at the corner of the board. Numbers are those of the header's pins.");
    drawing.header(pins);
    drawing.oled();
    for branch in branches(pins) {
        drawing.branch(&branch);
    }
    drawing.rails(pins);
    drawing.usb();
    drawing.line_of(format_args!("</svg>"));
    drawing.0
}

/// Position of a header pin.
fn place(number: u8) -> (u32, u32) {
    let x = if is_left(number) { LEFT } else { RIGHT };
    (x, TOP + PITCH * ((u32::from(number) - 1) / 2))
}

#[derive(Default)]
struct Drawing(String);

impl Drawing {
    fn line_of(&mut self, line: std::fmt::Arguments<'_>) {
        line_of(&mut self.0, line);
    }

    fn text(&mut self, (x, y): (u32, u32), anchor: &str, text: &str) {
        self.line_of(format_args!(
            r#"<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    fn wire(&mut self, (x1, y1): (u32, u32), (x2, y2): (u32, u32), colour: &str) {
        self.line_of(format_args!(
            r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="3"/>"#
        ));
    }

    fn frame(&mut self, (x, y): (u32, u32), (width, height): (u32, u32), fill: &str) {
        self.line_of(format_args!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="{BLACK}"/>"#
        ));
    }

    /// The header with all its pins; those in use are filled.
    fn header(&mut self, pins: &PiPins) {
        let used: Vec<u8> = OLED
            .iter()
            .map(|(_, number)| *number)
            .chain(RAILS)
            .chain(
                branches(pins)
                    .iter()
                    .filter_map(|branch| HeaderPin::number_of(branch.gpio)),
            )
            .collect();
        let height = PITCH * 19 + 44;
        self.frame(
            (LEFT - 22, TOP - 22),
            (RIGHT - LEFT + 44, height),
            "#e3f1e5",
        );
        for (number, pin) in (1_u8..).zip(HEADER) {
            let (x, y) = place(number);
            let is_used = used.contains(&number);
            let fill = match (is_used, pin) {
                (false, _) => "#ffffff",
                (true, Volts3 | Volts5) => "#d55e00",
                (true, Ground) => BLACK,
                (true, Gpio(_)) => "#0072b2",
            };
            let corner = if number == 1 { 0 } else { 11 };
            self.line_of(format_args!(
                r#"<rect x="{}" y="{}" width="22" height="22" rx="{corner}" fill="{fill}" stroke="{BLACK}"/>"#,
                x - 11,
                y - 11
            ));
            let ink = if is_used { "#ffffff" } else { BLACK };
            self.line_of(format_args!(
                r#"<text x="{x}" y="{}" text-anchor="middle" font-size="11" fill="{ink}">{number}</text>"#,
                y + 4
            ));
            let weight = if is_used { "bold" } else { "normal" };
            let (x, anchor) = if is_left(number) {
                (x + 18, "start")
            } else {
                (x - 18, "end")
            };
            self.line_of(format_args!(
                r#"<text x="{x}" y="{}" text-anchor="{anchor}" font-size="13" font-weight="{weight}">{pin}</text>"#,
                y + 5
            ));
        }
    }

    fn oled(&mut self) {
        let top = place(OLED[0].1).1;
        let bottom = place(OLED[OLED.len() - 1].1).1;
        self.frame((60, top - 26), (170, bottom - top + 35), "#dce9f7");
        self.text((70, top + 30), "start", "OLED SSD1306");
        self.text((70, top + 50), "start", "128×64 or");
        self.text((70, top + 70), "start", "128×32, I2C");
        for (terminal, number) in OLED {
            let (x, y) = place(number);
            let colour = match HeaderPin::at(number) {
                Some(Volts3 | Volts5) => "#d55e00",
                Some(Ground) => BLACK,
                _ => "#0072b2",
            };
            self.wire((230, y), (x - 11, y), colour);
            self.text((222, y + 5), "end", terminal);
        }
    }

    /// The wire from the header through a part to the rail.
    fn branch(&mut self, branch: &Branch) {
        let Some(number) = HeaderPin::number_of(branch.gpio) else {
            return;
        };
        let (x, y) = place(number);
        let is_left = is_left(number);
        // Distances from the pin, towards the rail.
        let at = |distance: u32| if is_left { x - distance } else { x + distance };
        let rail = if is_left { LEFT_RAIL } else { RIGHT_RAIL };
        match branch.led {
            None => {
                self.wire((at(11), y), (at(150), y), "#0072b2");
                self.wire((at(190), y), (rail, y), BLACK);
                self.wire((at(150), y), (at(187), y - 12), "#0072b2");
                for distance in [150, 190] {
                    self.line_of(format_args!(
                        r#"<circle cx="{}" cy="{y}" r="4" fill="{BLACK}"/>"#,
                        at(distance)
                    ));
                }
            }
            Some(colour) => {
                self.wire((at(11), y), (at(60), y), "#0072b2");
                self.frame((at(85) - 25, y - 7), (50, 14), "#f4ead5");
                self.line_of(format_args!(
                    r#"<text x="{}" y="{}" text-anchor="middle" font-size="11">{RESISTOR}</text>"#,
                    at(85),
                    y + 4
                ));
                self.wire((at(110), y), (at(155), y), "#0072b2");
                // Current flows from the anode, the base of the triangle, to the bar.
                self.line_of(format_args!(
                    r#"<path d="M{0} {1} L{0} {2} L{3} {y} Z" fill="{colour}" stroke="{BLACK}"/>"#,
                    at(155),
                    y - 10,
                    y + 10,
                    at(175)
                ));
                self.wire((at(175), y - 10), (at(175), y + 10), BLACK);
                self.wire((at(175), y), (rail, y), BLACK);
            }
        }
        let (x, anchor) = if is_left {
            (at(200), "end")
        } else {
            (at(200), "start")
        };
        self.text((x, y - 4), anchor, branch.name);
    }

    /// The ground rails, from the parts to the ground pins of the header.
    fn rails(&mut self, pins: &PiPins) {
        for (rail, x) in RAILS.into_iter().zip([LEFT_RAIL, RIGHT_RAIL]) {
            let (pin_x, pin_y) = place(rail);
            let ends = branches(pins);
            let ends = ends
                .iter()
                .filter_map(|branch| HeaderPin::number_of(branch.gpio))
                .filter(|number| is_left(*number) == is_left(rail))
                .map(|number| place(number).1);
            let (top, bottom) = ends.fold((pin_y, pin_y), |(top, bottom), y| {
                (top.min(y), bottom.max(y))
            });
            self.wire((x, top), (x, bottom), BLACK);
            let edge = if is_left(rail) {
                pin_x - 11
            } else {
                pin_x + 11
            };
            self.wire((x, pin_y), (edge, pin_y), BLACK);
            let (label, anchor) = if is_left(rail) {
                (x + 12, "start")
            } else {
                (x - 12, "end")
            };
            self.text((label, pin_y - 8), anchor, "ground rail");
        }
    }

    fn usb(&mut self) {
        let y = TOP + PITCH * 19 + 62;
        self.frame((LEFT - 22, y), (RIGHT - LEFT + 44, 60), "#e3e3e3");
        self.text((WIDTH / 2, y + 35), "middle", "USB");
        self.frame((60, y), (220, 60), "#f7e6ef");
        self.text((170, y + 26), "middle", "microscope camera");
        self.text((170, y + 46), "middle", "(UVC, MJPEG)");
        self.wire((280, y + 30), (LEFT - 22, y + 30), BLACK);
        self.frame((720, y), (220, 60), "#f7e6ef");
        self.text((830, y + 26), "middle", "Neural Compute Stick 2");
        self.text((830, y + 46), "middle", "(optional)");
        self.wire((RIGHT + 22, y + 30), (720, y + 30), BLACK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawing_is_up_to_date() {
        assert!(
            include_str!("../wiring.svg") == svg(&PiPins::default()),
            "hardware/wiring.svg is out of date; update it: \
             cargo run -p smearscope-hardware --example wiring > hardware/wiring.svg"
        );
    }

    #[test]
    fn the_readme_contains_the_table() {
        let table = table(&PiPins::default());
        assert!(
            include_str!("../README.md").contains(&table),
            "README.md lacks this table:\n{table}"
        );
    }

    #[test]
    fn the_header_has_every_gpio_line_once_and_its_supplies_in_place() {
        for gpio in 0..28 {
            let pins = HEADER.iter().filter(|pin| **pin == Gpio(gpio)).count();
            assert_eq!(pins, 1, "GPIO {gpio}");
        }
        let numbers = |wanted| {
            let pins = (1_u8..).zip(HEADER);
            pins.filter(|(_, pin)| *pin == wanted)
                .map(|(number, _)| number)
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(Volts3), [1, 17]);
        assert_eq!(numbers(Volts5), [2, 4]);
        assert_eq!(numbers(Ground), [6, 9, 14, 20, 25, 30, 34, 39]);
        assert_eq!(HeaderPin::number_of(17), Some(11));
        assert_eq!(HeaderPin::number_of(28), None);
        assert_eq!(HeaderPin::at(0), None);
        assert_eq!(HeaderPin::at(41), None);
    }

    #[test]
    fn display_and_rails_are_on_pins_with_the_right_function() {
        for (terminal, wanted) in [
            ("VCC", Volts3),
            ("SDA", Gpio(2)),
            ("SCL", Gpio(3)),
            ("GND", Ground),
        ] {
            let number = OLED.iter().find(|(name, _)| *name == terminal).unwrap().1;
            assert_eq!(HeaderPin::at(number), Some(wanted), "{terminal}");
        }
        for rail in RAILS {
            assert_eq!(HeaderPin::at(rail), Some(Ground));
        }
    }

    #[test]
    fn another_pin_moves_its_wire() {
        let pins = PiPins {
            green_pin: 24,
            ..PiPins::default()
        };
        assert!(table(&pins).contains("| green LED | GPIO 24 | 18 |"));
        assert_ne!(svg(&pins), svg(&PiPins::default()));
    }
}
