//! Lays out a page on the OLED: title, scrolling lines, footer.

use std::convert::Infallible;
use std::time::Duration;

// Of the fonts, those that have × and µ.
use embedded_graphics::mono_font::iso_8859_1::{FONT_5X8, FONT_6X10, FONT_8X13_BOLD, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle, MonoTextStyleBuilder};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use qrcode::{Color, EcLevel, QrCode};
use smearscope_hardware::{Canvas, ScreenSize};

/// Height of the footer in pixels.
const FOOTER: i32 = 9;
/// Width of a module of a QR code in pixels.
const MODULE: u32 = 2;

/// Time after which text that does not fit scrolls by one line.
pub(super) const STEP: Duration = Duration::from_millis(1500);
/// Number of additional steps for which the beginning and the end of the text stay.
const REST: usize = 2;

/// A page: a title, lines that scroll if they do not fit, and a footer.
pub(super) struct Page {
    /// The pixels of the screen, drawn so far.
    pub(super) canvas: Canvas,
    size: ScreenSize,
    since: Duration,
    /// Row at which the footer begins or, without a footer, the page ends.
    bottom: i32,
}

/// A bar across the page, from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    /// The filled part.
    pub(super) filled: [f32; 2],
    /// Places that are marked below it.
    pub(super) marks: Vec<f32>,
}

impl Page {
    /// An empty page for text that has been shown for `since`.
    pub(super) fn new(size: ScreenSize, since: Duration, has_footer: bool) -> Self {
        Self {
            canvas: Canvas::new(size),
            size,
            since,
            bottom: size.height() as i32 - if has_footer { FOOTER } else { 0 },
        }
    }

    /// Draws a title, a bar if the screen is high enough, and lines in the larger font.
    pub(super) fn large(&mut self, title: &str, bar: Option<&Bar>, lines: &[String]) {
        let top = self.title(title);
        let top = match (self.size, bar) {
            (ScreenSize::Rows64, Some(bar)) => self.bar(bar, top),
            _ => top,
        };
        self.lines(lines, top, &FONT_6X10);
    }

    /// Draws a title and lines in the smaller font.
    pub(super) fn small(&mut self, title: &str, lines: &[String]) {
        let top = self.title(title);
        self.lines(lines, top, &FONT_5X8);
    }

    /// Draws a QR code, and a short title and lines beside it. Returns `false`, and draws nothing, if a phone could not read
    /// the code: each of its modules needs two pixels.
    pub(super) fn code(&mut self, text: &str, title: &str, lines: &[String]) -> bool {
        let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else {
            return false;
        };
        let (width, side) = (code.width() as u32, self.size.height());
        let Some(margin) = side.checked_sub(MODULE * width).map(|space| space / 2) else {
            return false;
        };
        if margin < MODULE {
            return false;
        }
        let square = |x: u32, y: u32, side: u32, colour| {
            Rectangle::new(Point::new(x as i32, y as i32), Size::new_equal(side))
                .into_styled(PrimitiveStyle::with_fill(colour))
        };
        // Light on dark: the margin belongs to the code.
        self.draw(&square(0, 0, side, BinaryColor::On));
        for (place, module) in (0..).zip(code.to_colors()) {
            if module == Color::Dark {
                let (x, y) = (place % width, place / width);
                let at = |place| margin + MODULE * place;
                self.draw(&square(at(x), at(y), MODULE, BinaryColor::Off));
            }
        }
        let left = side as i32;
        let middle = i32::midpoint(left, Canvas::WIDTH as i32);
        let font = &FONT_5X8;
        let columns = (Canvas::WIDTH - side) / font.character_size.width;
        self.text_at(
            title,
            Point::new(middle, 4),
            MonoTextStyle::new(&FONT_8X13_BOLD, BinaryColor::On),
        );
        let lines = lines
            .iter()
            .flat_map(|line| wrapped(line, columns as usize));
        for (line, top) in lines.zip((22..).step_by(9)) {
            self.text_at(
                &line,
                Point::new(middle, top),
                MonoTextStyle::new(font, BinaryColor::On),
            );
        }
        true
    }

    /// Draws the title, a long one in a smaller font. Returns the row below it.
    fn title(&mut self, text: &str) -> i32 {
        let (usual, small, end) = match self.size {
            ScreenSize::Rows64 => (&FONT_10X20, &FONT_8X13_BOLD, 22),
            ScreenSize::Rows32 => (&FONT_8X13_BOLD, &FONT_6X10, 13),
        };
        let is_long = text.chars().count() > columns(usual);
        let font = if is_long { small } else { usual };
        let [space, height] = [usual, font].map(|font| font.character_size.height as i32);
        let style = MonoTextStyle::new(font, BinaryColor::On);
        self.text(text, (space - height) / 2, style);
        end
    }

    /// Draws the lines between title and footer, wrapped at words.
    fn lines(&mut self, lines: &[String], top: i32, font: &'static MonoFont<'static>) {
        let columns = columns(font);
        let lines: Vec<String> = lines
            .iter()
            .flat_map(|line| wrapped(line, columns))
            .collect();
        let pitch = font.character_size.height as i32 + i32::from(self.size == ScreenSize::Rows64);
        let rows = ((self.bottom - top) / pitch).max(1) as usize;
        let first = first_line(lines.len(), rows, self.since);
        for (line, top) in lines[first..]
            .iter()
            .take(rows)
            .zip((top..).step_by(pitch as usize))
        {
            self.text(line, top, MonoTextStyle::new(font, BinaryColor::On));
        }
    }

    /// Draws a bar in a frame, and its marks below. Returns the row below them.
    fn bar(&mut self, bar: &Bar, top: i32) -> i32 {
        let frame = Rectangle::new(Point::new(8, top), Size::new(112, 9));
        let inner = frame.offset(-2);
        let columns = |part: f32| (part.clamp(0.0, 1.0) * inner.size.width as f32).round() as u32;
        let [start, end] = bar.filled.map(columns);
        self.draw(&frame.into_styled(PrimitiveStyle::with_stroke(BinaryColor::On, 1)));
        let filled = Rectangle::new(
            inner.top_left + Point::new(start as i32, 0),
            Size::new(end.saturating_sub(start), inner.size.height),
        );
        self.draw(&filled.into_styled(PrimitiveStyle::with_fill(BinaryColor::On)));
        for mark in &bar.marks {
            let x = inner.top_left.x + columns(*mark) as i32;
            let mark = Rectangle::new(Point::new(x, top + 9), Size::new(1, 2));
            self.draw(&mark.into_styled(PrimitiveStyle::with_fill(BinaryColor::On)));
        }
        top + 11
    }

    /// Draws a line at the bottom, dark on light.
    pub(super) fn footer(&mut self, text: &str) {
        let top = self.bottom;
        self.draw(
            &Rectangle::new(
                Point::new(0, top),
                Size::new(Canvas::WIDTH, FOOTER.unsigned_abs()),
            )
            .into_styled(PrimitiveStyle::with_fill(BinaryColor::On)),
        );
        let style = MonoTextStyleBuilder::new()
            .font(&FONT_5X8)
            .text_color(BinaryColor::Off)
            .build();
        self.text(text, top + 1, style);
    }

    /// Draws a short text in the upper right corner.
    pub(super) fn corner(&mut self, text: &str) {
        let layout = TextStyleBuilder::new()
            .alignment(Alignment::Right)
            .baseline(Baseline::Top)
            .build();
        let style = MonoTextStyle::new(&FONT_5X8, BinaryColor::On);
        let at = Point::new(Canvas::WIDTH as i32 - 1, 2);
        self.draw(&Text::with_text_style(text, at, style, layout));
    }

    /// Draws a centred line.
    fn text(&mut self, text: &str, top: i32, style: MonoTextStyle<'static, BinaryColor>) {
        self.text_at(text, Point::new(Canvas::WIDTH as i32 / 2, top), style);
    }

    /// Draws a line whose top has its middle at a point.
    fn text_at(&mut self, text: &str, at: Point, style: MonoTextStyle<'static, BinaryColor>) {
        let layout = TextStyleBuilder::new()
            .alignment(Alignment::Center)
            .baseline(Baseline::Top)
            .build();
        self.draw(&Text::with_text_style(text, at, style, layout));
    }

    fn draw(&mut self, drawable: &impl Drawable<Color = BinaryColor>) {
        let Ok(_) = drawable
            .draw(&mut self.canvas)
            .map_err(|never: Infallible| never);
    }
}

/// Characters per line.
fn columns(font: &MonoFont<'_>) -> usize {
    (Canvas::WIDTH / font.character_size.width) as usize
}

/// Index of the topmost of `count` lines on a page of `rows` that has been shown for `since`.
fn first_line(count: usize, rows: usize, since: Duration) -> usize {
    let hidden = count.saturating_sub(rows);
    if hidden == 0 {
        return 0;
    }
    let step = (since.as_millis() / STEP.as_millis()) as usize % (hidden + 2 * REST);
    step.saturating_sub(REST).min(hidden)
}

/// Wraps text into lines of `columns` characters. A word that is longer than a line is split.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let characters: Vec<char> = word.chars().collect();
        for part in characters.chunks(columns) {
            let part: String = part.iter().collect();
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + part.chars().count() <= columns => {
                    line.push(' ');
                    line.push_str(&part);
                }
                _ => lines.push(part),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_scroll_to_the_end_and_start_again() {
        let seen: Vec<usize> = (0..8).map(|step| first_line(7, 4, STEP * step)).collect();
        assert_eq!(seen, [0, 0, 0, 1, 2, 3, 3, 0]);
        assert_eq!(first_line(4, 4, STEP * 3), 0);
    }

    #[test]
    fn the_signs_of_measures_are_in_the_fonts() {
        for font in [FONT_5X8, FONT_6X10, FONT_8X13_BOLD, FONT_10X20] {
            let glyph = |sign: char| font.glyph_mapping.index(sign);
            // What a font lacks is drawn as a question mark.
            for sign in ['×', 'µ', '·', '²'] {
                assert_ne!(glyph(sign), glyph('?'), "{sign}");
            }
        }
    }

    #[test]
    fn text_wraps_at_words_and_long_words_are_split() {
        let lines = wrapped(&"ä".repeat(60), 25);
        assert_eq!(
            lines.iter().map(|l| l.chars().count()).collect::<Vec<_>>(),
            [25, 25, 10]
        );
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
    }
}
