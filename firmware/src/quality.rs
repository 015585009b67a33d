//! The gate: whether a picture can be judged at all.
//!
//! All figures are taken on a copy of 512 pixels on its longer side, so that they depend on the
//! field of view and not on the camera's resolution, and cost little on a Pi. Their limits were set
//! on the 21 micrographs of the BCCD test set and on what must be refused:
//!
//! | figure | BCCD | must be refused | limit |
//! |---|---|---|---|
//! | `highlights` (95th percentile of luma) | 202–212 | a tenth of the light: 21 | ≥ 80 |
//! | `median` luma | 166–205 | all clipped: 255 | < 250 |
//! | contrast (`highlights` − `shadows`) | 46–67 | plain grey: 0 | ≥ 20 |
//! | `nuclei` (share of purple) | 0.031–0.088 | bars, chequers, desks: 0 | ≥ 0.002 |
//! | `background` (share, bright and pale) | 0.53–0.76 | colour noise: 0.001 | ≥ 0.05 |
//! | `red_cells` (share of red) | 0.13–0.40 | grey pictures: 0 | ≥ 0.02 |
//! | `garish` (share of pure colours) | 0 | colour bars: 0.86 | ≤ 0.05 |
//! | `focus` | 1.25–1.61 | blurred by σ = 4 of 640 pixels: ≤ 1.212 | ≥ 1.22 |
//!
//! Focus asks what further blur would still take away (after Crete et al. 2007, "The blur effect"):
//! it is the 99th percentile of the luma's gradient after a blur of 1 pixel of the copy over the same
//! after one of 2.5. An edge of standard deviation σ gives √((σ² + 6.25) ÷ (σ² + 1)), whatever its
//! contrast, so that a soft field gives 1; the first blur keeps the camera's noise out of it.

use std::fmt;

use image::imageops::blur;
use image::{ImageBuffer, Luma, Rgb, RgbImage};
use serde::Serialize;
use smearscope_artifacts::{Resampler, ResizeFilter};

/// Longer side of the copy on which light and focus are measured.
const COPY: u32 = 512;
/// Longer side of the copy on which colours are: noise is averaged away, nuclei are not.
const COLOUR_COPY: u32 = 96;
/// The network sees 100×100 pixels; a picture with fewer has less than it was trained on.
const MIN_SIDE: u32 = 100;

const MIN_HIGHLIGHTS: f32 = 80.0;
const MAX_MEDIAN: f32 = 250.0;
const MIN_CONTRAST: f32 = 20.0;
const MIN_NUCLEI: f32 = 0.002;
const MIN_BACKGROUND: f32 = 0.05;
const MIN_RED_CELLS: f32 = 0.02;
const MAX_GARISH: f32 = 0.05;
const MIN_FOCUS: f32 = 1.22;

/// Standard deviations of the blurs that focus compares, in pixels of the copy.
const NOISE_BLUR: f32 = 1.0;
const FURTHER_BLUR: f32 = 2.5;

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Quality {
    /// 5th percentile of luma, 0 to 255.
    pub shadows: f32,
    /// Median luma, 0 to 255.
    pub median: f32,
    /// 95th percentile of luma, 0 to 255.
    pub highlights: f32,
    /// How much steeper the sharpest edges are than after further blur, 1 and more.
    pub focus: f32,
    /// Share of the field in the purple of stained nuclei and platelets.
    pub nuclei: f32,
    /// Share of bright, pale background.
    pub background: f32,
    /// Share in the red of red cells.
    pub red_cells: f32,
    /// Share of colours purer than any stain's.
    pub garish: f32,
}

/// Why a picture cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Fewer pixels than the network sees.
    TooSmall,
    /// Hardly any light.
    TooDark,
    /// Washed out.
    TooBright,
    /// Nothing to see.
    Flat,
    /// The colours are not those of a stained blood smear.
    NotASmear,
    /// Edges of cells are soft.
    OutOfFocus,
}

impl Problem {
    /// What the operator can do.
    pub fn hint(self) -> &'static str {
        match self {
            Self::TooSmall => "use a larger picture",
            Self::TooDark => "turn up the light",
            Self::TooBright => "turn down the light",
            Self::Flat => "move to a field with cells",
            Self::NotASmear => "check slide and stain",
            Self::OutOfFocus => "turn the fine focus",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooSmall => "too few pixels",
            Self::TooDark => "too dark",
            Self::TooBright => "too bright",
            Self::Flat => "no contrast",
            Self::NotASmear => "not a stained smear",
            Self::OutOfFocus => "out of focus",
        })
    }
}

impl Quality {
    /// The first reason why a picture with these figures cannot be judged.
    fn problem(&self) -> Option<Problem> {
        // A figure that is no number passes no comparison, so each asks for what is good.
        let checks = [
            (self.highlights >= MIN_HIGHLIGHTS, Problem::TooDark),
            (self.median < MAX_MEDIAN, Problem::TooBright),
            (
                self.highlights - self.shadows >= MIN_CONTRAST,
                Problem::Flat,
            ),
            (
                self.nuclei >= MIN_NUCLEI
                    && self.background >= MIN_BACKGROUND
                    && self.red_cells >= MIN_RED_CELLS
                    && self.garish <= MAX_GARISH,
                Problem::NotASmear,
            ),
            (self.focus >= MIN_FOCUS, Problem::OutOfFocus),
        ];
        checks
            .into_iter()
            .find_map(|(is_good, problem)| (!is_good).then_some(problem))
    }
}

/// Luma from 0 to 1; with 8 bits, rounding would hide the gentle slopes of a soft field.
type Luma32 = ImageBuffer<Luma<f32>, Vec<f32>>;

/// Measures pictures; keeps its buffers from one to the next.
pub struct QualityGate {
    copy: Copier,
    colour_copy: Copier,
}

impl Default for QualityGate {
    fn default() -> Self {
        Self {
            copy: Copier::new(COPY),
            colour_copy: Copier::new(COLOUR_COPY),
        }
    }
}

impl QualityGate {
    /// Measures a picture and says whether it can be judged.
    pub fn assess(&mut self, image: &RgbImage) -> (Quality, Option<Problem>) {
        if image.width().min(image.height()) < MIN_SIDE {
            return (Quality::default(), Some(Problem::TooSmall));
        }
        let copy = self.copy.copy(image);
        let mut quality = light(copy);
        quality.focus = focus(copy);
        shares(self.colour_copy.copy(copy), &mut quality);
        (quality, quality.problem())
    }
}

/// Makes copies of pictures that are at most so long on their longer side.
struct Copier {
    longer: u32,
    resampler: Resampler,
    copy: RgbImage,
}

impl Copier {
    fn new(longer: u32) -> Self {
        Self {
            longer,
            resampler: Resampler::new(ResizeFilter::Area, 1, 1),
            copy: RgbImage::new(1, 1),
        }
    }

    fn copy(&mut self, image: &RgbImage) -> &RgbImage {
        let longer = image.width().max(image.height());
        let scale = (f64::from(self.longer) / f64::from(longer)).min(1.0);
        let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
        let (width, height) = (side(image.width()), side(image.height()));
        if self.copy.dimensions() != (width, height) {
            self.copy = RgbImage::new(width, height);
            self.resampler = Resampler::new(ResizeFilter::Area, width as usize, height as usize);
        }
        let mut pixels = self.copy.pixels_mut();
        self.resampler.resize(image, |pixel| {
            if let Some(copied) = pixels.next() {
                *copied = Rgb(pixel);
            }
        });
        &self.copy
    }
}

/// Luma of ITU-R BT.601.
fn luma(Rgb([red, green, blue]): Rgb<u8>) -> u8 {
    ((299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue) + 500) / 1000) as u8
}

fn light(image: &RgbImage) -> Quality {
    let mut histogram = [0; 256];
    for pixel in image.pixels() {
        histogram[usize::from(luma(*pixel))] += 1;
    }
    Quality {
        shadows: percentile(&histogram, 0.05),
        median: percentile(&histogram, 0.50),
        highlights: percentile(&histogram, 0.95),
        ..Quality::default()
    }
}

/// How much steeper the edges are before further blur than after.
fn focus(image: &RgbImage) -> f32 {
    let luma = Luma32::from_fn(image.width(), image.height(), |x, y| {
        Luma([f32::from(luma(*image.get_pixel(x, y))) / 255.0])
    });
    let [sharp, soft] = [NOISE_BLUR, FURTHER_BLUR].map(|sigma| steepness(&blur(&luma, sigma)));
    // Without any edges there is nothing to be in focus.
    if soft > 0.0 { sharp / soft } else { 1.0 }
}

/// 99th percentile of the gradient's length by central differences.
fn steepness(luma: &Luma32) -> f32 {
    let rows: Vec<&[f32]> = luma.chunks_exact(luma.width() as usize).collect();
    let mut gradients: Vec<f32> = rows
        .windows(3)
        .flat_map(|rows| {
            rows[1].windows(3).enumerate().map(|(x, columns)| {
                let across = columns[2] - columns[0];
                let down = rows[2][x + 1] - rows[0][x + 1];
                across.hypot(down) / 2.0
            })
        })
        .collect();
    if gradients.is_empty() {
        return 0.0;
    }
    let rank = gradients.len() * 99 / 100;
    *gradients.select_nth_unstable_by(rank, f32::total_cmp).1
}

/// The bin below or in which `share` of all counts lie.
fn percentile(histogram: &[u32], share: f64) -> f32 {
    let wanted = share * f64::from(histogram.iter().sum::<u32>());
    let mut sum = 0;
    let bin = histogram.iter().position(|count| {
        sum += count;
        f64::from(sum) >= wanted
    });
    bin.unwrap_or_default() as f32
}

/// Shares of the colours that a Romanowsky-stained smear has.
fn shares(image: &RgbImage, quality: &mut Quality) {
    let count = image.pixels().len() as f32;
    let share = |wanted: &dyn Fn([f32; 3], f32) -> bool| {
        let hits = image
            .pixels()
            .filter(|pixel| wanted(pixel.0.map(f32::from), luma(**pixel).into()))
            .count();
        hits as f32 / count
    };
    let highlights = quality.highlights;
    quality.nuclei = share(&|[red, green, blue], luma| {
        blue - green > 25.0 && blue >= red - 10.0 && luma < 0.8 * highlights
    });
    quality.background =
        share(&|pixel, luma| luma > 0.85 * highlights && colourfulness(pixel) < 60.0);
    quality.garish = share(&|pixel, _| colourfulness(pixel) > 170.0);
    quality.red_cells = share(&|[red, green, blue], luma| {
        red - blue > 8.0 && red - green > 15.0 && luma < 0.95 * highlights
    });
}

/// How far a colour is from grey, 0 to 255.
fn colourfulness([red, green, blue]: [f32; 3]) -> f32 {
    red.max(green).max(blue) - red.min(green).min(blue)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use image::imageops::{brighten, resize};

    use super::*;

    fn problem(image: &RgbImage) -> Option<Problem> {
        QualityGate::default().assess(image).1
    }

    fn images(folder: &str) -> Vec<(String, RgbImage)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(folder);
        let Ok(entries) = std::fs::read_dir(&folder) else {
            eprintln!("skipped: {} is absent", folder.display());
            return Vec::new();
        };
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "jpg"))
            .map(|path| {
                let image = image::open(&path).unwrap().to_rgb8();
                (path.display().to_string(), image)
            })
            .collect()
    }

    fn fields() -> Vec<(String, RgbImage)> {
        let mut fields = images("../shared/data/bccd");
        fields.extend(images("hardware/fields"));
        fields
    }

    /// A linear congruential generator (Numerical Recipes) is random enough here.
    fn random() -> impl FnMut() -> u8 {
        let mut state = 1_u32;
        move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }
    }

    #[test]
    fn micrographs_and_shipped_fields_pass() {
        for (name, image) in fields() {
            let (quality, problem) = QualityGate::default().assess(&image);
            assert_eq!(problem, None, "{name}: {quality:?}");
        }
    }

    #[test]
    fn blurred_darkened_and_overexposed_fields_are_refused() {
        for (name, image) in fields() {
            let pixel = image.width() as f32 / 640.0;
            let soft = blur(&image, 4.0 * pixel);
            assert_eq!(problem(&soft), Some(Problem::OutOfFocus), "{name}");
            let mut noisy = blur(&image, 6.0 * pixel);
            let mut random = random();
            for sample in noisy.iter_mut() {
                *sample = sample.saturating_add(random() % 14);
            }
            assert_eq!(problem(&noisy), Some(Problem::OutOfFocus), "{name}");
            let mut dark = image.clone();
            dark.iter_mut().for_each(|sample| *sample /= 10);
            assert_eq!(problem(&dark), Some(Problem::TooDark), "{name}");
            let bright = brighten(&image, 150);
            assert_eq!(problem(&bright), Some(Problem::TooBright), "{name}");
        }
    }

    #[test]
    fn the_verdict_of_the_gate_does_not_depend_on_resolution() {
        for (name, image) in fields().into_iter().take(3) {
            let (width, height) = image.dimensions();
            let large = resize(
                &image,
                width * 3,
                height * 3,
                image::imageops::FilterType::CatmullRom,
            );
            assert_eq!(problem(&large), None, "{name}");
        }
    }

    #[test]
    fn what_is_no_smear_is_refused() {
        let picture = |pixel: &dyn Fn(u32, u32) -> [u8; 3]| {
            RgbImage::from_fn(640, 480, |x, y| Rgb(pixel(x, y)))
        };
        let noise = std::cell::RefCell::new(random());
        let random = || (noise.borrow_mut())();
        let bars: [[u8; 3]; 7] = [
            [191, 191, 191],
            [191, 191, 0],
            [0, 191, 191],
            [0, 191, 0],
            [191, 0, 191],
            [191, 0, 0],
            [0, 0, 191],
        ];
        let cases: [(&str, RgbImage, Problem); 8] = [
            ("black", picture(&|_, _| [0; 3]), Problem::TooDark),
            ("white", picture(&|_, _| [255; 3]), Problem::TooBright),
            ("grey", picture(&|_, _| [128; 3]), Problem::Flat),
            (
                "gradient",
                picture(&|x, _| [(x * 255 / 639) as u8; 3]),
                Problem::NotASmear,
            ),
            (
                "chequers",
                picture(&|x, y| [if (x / 20 + y / 20) % 2 == 0 { 0 } else { 255 }; 3]),
                Problem::NotASmear,
            ),
            (
                "noise",
                picture(&|_, _| [random(), random(), random()]),
                Problem::NotASmear,
            ),
            (
                "unstained",
                picture(&|x, y| {
                    if (x / 40 + y / 40) % 3 == 0 {
                        [200, 150, 140]
                    } else {
                        [220, 220, 215]
                    }
                }),
                Problem::NotASmear,
            ),
            (
                "colour bars",
                picture(&|x, _| bars[(x * 7 / 640) as usize]),
                Problem::NotASmear,
            ),
        ];
        for (name, image, expected) in cases {
            assert_eq!(problem(&image), Some(expected), "{name}");
        }
        assert_eq!(problem(&RgbImage::new(99, 400)), Some(Problem::TooSmall));
    }
}
