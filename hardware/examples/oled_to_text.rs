//! Draws on the OLED with embedded-graphics and prints what the display shows, through the real SSD1306
//! driver and a virtual display: `cargo run -p smearscope-hardware --example oled_to_text`.

use std::io::{self, Write};

use embedded_graphics::mono_font::{MonoTextStyle, ascii::FONT_10X20};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Circle, PrimitiveStyle};
use embedded_graphics::text::Text;
use smearscope_hardware::screen::oled::{OledScreen, OledSetup};
use smearscope_hardware::screen::text_art::braille;
use smearscope_hardware::screen::virtual_ssd1306::VirtualSsd1306;
use smearscope_hardware::{Canvas, Screen, ScreenSize};

fn draw<D: DrawTarget<Color = BinaryColor>>(target: &mut D) -> Result<(), D::Error> {
    let outline = PrimitiveStyle::with_stroke(BinaryColor::On, 2);
    Circle::new(Point::new(4, 4), 23)
        .into_styled(outline)
        .draw(target)?;
    let font = MonoTextStyle::new(&FONT_10X20, BinaryColor::On);
    Text::new("smear", Point::new(36, 22), font).draw(target)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let size = ScreenSize::Rows32;
    let mut canvas = Canvas::new(size);
    draw(&mut canvas)?;

    let (bus, display) = VirtualSsd1306::new(0x3c, size);
    let mut screen = OledScreen::new(bus, OledSetup::new(0x3c, size), "virtual bus");
    screen.show(&canvas)?;

    let mut stdout = io::stdout().lock();
    for line in braille(&display.picture()) {
        writeln!(stdout, "{line}")?;
    }
    Ok(())
}
