//! The gate: whether a picture can be judged at all.
//!
//! All figures are taken on copies of at most 512 pixels on their longer side, so that they depend on the
//! field of view and not on the camera's resolution, and cost little on a Pi. Their limits were set
//! on the 21 micrographs of the BCCD test set, on the trainer's synthetic fields, whose stains and lamps
//! vary more than those of any one laboratory, and on what must be refused:
//!
//! | figure | BCCD and shipped fields | must be refused | limit |
//! |---|---|---|---|
//! | `highlights` (95th percentile of luma) | 162–242 | a tenth of the light: 16–24 | ≥ 80 |
//! | `clipped` (share of luma ≥ 250) | 0 | 200 levels brighter: 0.81–1 | ≤ 0.9 |
//! | `contrast` (95th − 5th percentile) | 52–196 | plain grey: 0 | ≥ 20 |
//! | `evenness` (darkest ÷ brightest of 12 tiles) | 0.70–0.94 | half of the field in the dark: 0.08–0.10 | ≥ 0.25 |
//! | `garish` (share of pure colours) | 0–0.063 | colour bars: 0.84 | ≤ 0.2 |
//! | `coverage` (1 − share of ground) | 0.10–0.64 | colour noise: 0.97 | ≤ 0.95 |
//! | `red_cells` (share of red) | 0.055–0.51 | grey pictures: 0 | ≥ 0.01 |
//! | `nuclei` (share of purple) | 0.023–0.48 | red cells alone: 0 | ≥ 0.002 |
//! | `cast` (strongest ÷ weakest channel of the ground) | 1.01–1.33 | a third of the blue: 2.97–4.02 | ≤ 1.8 |
//! | `focus` | 1.220–1.742 | blurred by σ = 4 of 640 pixels: 1.120–1.193 | ≥ 1.2 |
//! | `motion` (pixels of 512, between two frames) | | moved by 1.2 % of the field | ≤ 2 |
//! | `moved` (the same, since the field before) | | the same field, with noise | ≥ 1 |
//! | `distance` (from the model's training; here `smear-demo`) | 1.52–4.88 | | the manifest's, 6.80 |
//!
//! A JPEG that is [reduced](InputContract::reduction) while it is decoded has at least twice as many pixels as the
//! copies, and figures within 2 % and 0.01 of those of all pixels.
//!
//! No image of ALL-IDB1 was at hand: whether its fields pass is not known.

mod blur;
mod downscale;
mod figure;
mod focus;
mod light;
mod motion;
mod stain;
mod tiles;

use std::ops::Range;

use image::buffer::ConvertBuffer;
use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage};
use smearscope_artifacts::InputContract;
use smearscope_artifacts::decode::Picture;

pub(crate) use downscale::Downscaler;
pub use figure::{Figure, Limit, Problem, Quality};

/// Longer side of the copy on which light and focus are measured.
const COPY: u32 = InputContract::MIN_REDUCED_SIDE / 2;
/// Longer side of the copy on which colours are: noise is averaged away, nuclei are not.
const COLOUR_COPY: u32 = 96;
/// Networks see 100×100 pixels and more; a picture with fewer has less than they were trained on.
const MIN_SIDE: u32 = 100;
/// Standard deviation of the blur that takes the camera's noise away, in pixels of the copy.
const NOISE_BLUR: f32 = 1.0;

/// Luma from 0 to 1; with 8 bits, rounding would hide the gentle slopes of a soft field.
type Luma32 = ImageBuffer<Luma<f32>, Vec<f32>>;

/// Measures pictures; keeps its buffers from one to the next.
pub struct QualityGate {
    copy: Downscaler,
    colour_copy: Downscaler,
    /// What the picture that was measured last looks like.
    measured: Option<Luma32>,
    /// The same of the field that was judged last on this slide.
    judged: Option<Luma32>,
}

impl Default for QualityGate {
    fn default() -> Self {
        Self {
            copy: Downscaler::new(COPY),
            colour_copy: Downscaler::new(COLOUR_COPY),
            measured: None,
            judged: None,
        }
    }
}

impl QualityGate {
    /// Measures a picture, how far the field moved since an earlier one of the same stream, and how far it
    /// lies from the field that was judged last.
    pub fn assess(&mut self, picture: &Picture, earlier: Option<&Picture>) -> Quality {
        let mut quality = Quality::default();
        let side = picture.original_size.0.min(picture.original_size.1);
        quality.require_min("side", side as f32, MIN_SIDE as f32, Problem::TooSmall);
        if quality.failure().is_some() {
            return quality;
        }
        let earlier = earlier.map(|earlier| {
            let copy = self.copy.copy(&earlier.image);
            denoised(&grey(copy).convert())
        });
        let copy = self.copy.copy(&picture.image);
        let grey = grey(copy);
        let highlights = light::measure(&grey, &mut quality);
        stain::measure(self.colour_copy.copy(copy), highlights, &mut quality);
        let luma: Luma32 = grey.convert();
        let denoised = denoised(&luma);
        focus::measure(&luma, &denoised, &mut quality);
        if let Some(earlier) = earlier {
            motion::measure(&earlier, &denoised, &mut quality);
        }
        if let Some(judged) = &self.judged {
            motion::measure_move(judged, &denoised, &mut quality);
        }
        self.measured = Some(denoised);
        quality
    }

    /// The picture that was measured last was judged: the same field again would be no other witness.
    pub fn remember(&mut self) {
        self.judged = self.measured.take();
    }

    /// Another slide: what was judged before is no matter.
    pub fn forget(&mut self) {
        self.judged = None;
    }
}

/// Luma of ITU-R BT.601.
fn luma(Rgb([red, green, blue]): Rgb<u8>) -> u8 {
    ((299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue) + 500) / 1000) as u8
}

fn grey(image: &RgbImage) -> GrayImage {
    let mut grey = GrayImage::new(image.width(), image.height());
    for (grey, pixel) in grey.pixels_mut().zip(image.pixels()) {
        *grey = Luma([luma(*pixel)]);
    }
    grey
}

fn denoised(luma: &Luma32) -> Luma32 {
    blur::blur(luma, NOISE_BLUR)
}

/// Squared lengths of the gradients in part of a row, by central differences; none at the edge of the picture.
fn squared_gradients(
    luma: &Luma32,
    y: usize,
    columns: Range<usize>,
) -> impl Iterator<Item = f32> + '_ {
    let (width, height) = (luma.width() as usize, luma.height() as usize);
    let columns = columns.start.max(1)..columns.end.min(width.saturating_sub(1));
    let is_edge = y == 0 || y + 1 >= height || columns.is_empty();
    let [left, right, above, below] = if is_edge {
        [&[][..]; 4]
    } else {
        let at = y * width + columns.start;
        [at - 1, at + 1, at - width, at + width].map(|at| &luma.as_raw()[at..][..columns.len()])
    };
    let across = right.iter().zip(left);
    let down = below.iter().zip(above);
    across.zip(down).map(|((right, left), (below, above))| {
        let (across, down) = (right - left, below - above);
        // The differences are those over two pixels.
        (across * across + down * down) / 4.0
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use image::imageops::{blur, brighten, resize};
    use smearscope_artifacts::decode::{self, Limits};
    use smearscope_artifacts::testing::{jpegs_in, micrographs};

    use super::*;

    fn assess(image: &RgbImage, earlier: Option<&RgbImage>) -> Quality {
        let [image, earlier] =
            [Some(image), earlier].map(|image| image.cloned().map(Picture::from));
        QualityGate::default().assess(&image.unwrap(), earlier.as_ref())
    }

    fn problem(image: &RgbImage) -> Option<Problem> {
        let quality = assess(image, None);
        quality.failure().map(|figure| figure.problem)
    }

    /// The shipped fields, and real micrographs where there are any.
    fn fields() -> Vec<(String, RgbImage)> {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hardware/fields");
        let paths = jpegs_in(&shipped).into_iter().chain(micrographs());
        paths
            .map(|path| {
                let image = image::open(&path).unwrap().to_rgb8();
                (path.display().to_string(), image)
            })
            .collect()
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
    fn each_pixel_but_those_at_the_edge_has_a_gradient() {
        for (width, height) in [(61, 47), (2, 200), (5, 3), (3, 3), (3, 2), (1, 1)] {
            let luma = Luma32::from_fn(width, height, |x, y| {
                Luma([((x * 7 + y * y * 13) % 97) as f32 / 97.0])
            });
            let found: Vec<u32> = tiles::runs(width as usize, height as usize)
                .flat_map(|(_, y, columns)| squared_gradients(&luma, y, columns))
                .map(f32::to_bits)
                .collect();
            let at = |x: u32, y: u32| luma.get_pixel(x, y)[0];
            let mut expected = Vec::new();
            for y in 1..height - 1 {
                for x in 1..width.saturating_sub(1) {
                    let (across, down) = (at(x + 1, y) - at(x - 1, y), at(x, y + 1) - at(x, y - 1));
                    expected.push(((across * across + down * down) / 4.0).to_bits());
                }
            }
            assert_eq!(found, expected, "{width} x {height}");
        }
    }

    #[test]
    fn micrographs_and_shipped_fields_pass() {
        for (name, image) in fields() {
            let quality = assess(&image, None);
            assert_eq!(quality.failure(), None, "{name}: {quality:?}");
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
            let bright = brighten(&image, 200);
            // Of a dark field something is left, but nuclei are not.
            let problem = problem(&bright);
            let told = [Problem::TooBright, Problem::NoWhiteCells].map(Some);
            assert!(told.contains(&problem), "{name}: {problem:?}");
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
    fn figures_of_a_reduced_picture_are_those_of_the_whole_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model-artifacts/smear-demo");
        let files = smearscope_artifacts::ModelFiles::open(&folder).unwrap();
        let contract = &files.manifest().input;
        for (name, image) in fields().into_iter().step_by(5) {
            let pixel = image.width() as f32 / 640.0;
            for small in [image.clone(), blur(&image, 4.0 * pixel)] {
                let filter = image::imageops::FilterType::CatmullRom;
                let mut jpeg = Vec::new();
                image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 92)
                    .encode_image(&resize(&small, 2592, 1944, filter))
                    .unwrap();
                let [whole, reduced] = [None, Some(contract)].map(|contract| {
                    decode::decode_for(contract, &jpeg, &Limits::default()).unwrap()
                });
                assert_eq!(reduced.image.width(), 1296);
                let [whole, reduced] =
                    [whole, reduced].map(|picture| QualityGate::default().assess(&picture, None));
                let problem = |quality: &Quality| quality.failure().map(|figure| figure.problem);
                assert_eq!(problem(&whole), problem(&reduced), "{name}");
                assert_eq!(whole.figures().len(), reduced.figures().len());
                for (expected, found) in whole.figures().iter().zip(reduced.figures()) {
                    println!("{name}: {expected} and {found}");
                    // Samples of the copies differ by a level or two.
                    let bound = 0.02 * expected.value.abs() + 0.01;
                    assert!(
                        (expected.value - found.value).abs() <= bound,
                        "{name}: {expected} and {found}"
                    );
                }
                assert_eq!(
                    whole.figures()[0],
                    reduced.figures()[0],
                    "the picture as taken"
                );
            }
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
                Problem::Uneven,
            ),
            (
                "chequers",
                picture(&|x, y| [if (x / 20 + y / 20) % 2 == 0 { 0 } else { 255 }; 3]),
                Problem::NotASmear,
            ),
            (
                "noise",
                picture(&|_, _| [random(), random(), random()]),
                Problem::TooThick,
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
                Problem::NoWhiteCells,
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

    #[test]
    fn a_field_that_moved_is_refused_and_one_that_trembled_is_not() {
        for (name, image) in fields().into_iter().step_by(4) {
            let (width, height) = image.dimensions();
            let shifted = |share: f32| {
                let by = (share * width as f32).round() as u32;
                image::imageops::crop_imm(&image, by, by / 2, width - by, height - by).to_image()
            };
            let still = image::imageops::crop_imm(&image, 0, 0, width, height).to_image();
            let between = |one: &RgbImage, other: &RgbImage| {
                let (width, height) = other.dimensions();
                let one = image::imageops::crop_imm(one, 0, 0, width, height).to_image();
                assess(other, Some(&one))
            };
            let motion = |quality: &Quality| {
                let mut figures = quality.figures().iter();
                figures
                    .find(|figure| figure.name == "motion")
                    .copied()
                    .unwrap()
            };
            assert!(motion(&between(&still, &still)).passed(), "{name}");
            let trembled = motion(&between(&still, &shifted(0.001)));
            assert!(trembled.passed(), "{name}: {trembled}");
            let moved = motion(&between(&still, &shifted(0.012)));
            assert!(!moved.passed(), "{name}: {moved}");
        }
        let other = RgbImage::new(300, 200);
        let (_, image) = fields().swap_remove(0);
        let quality = assess(&image, Some(&other));
        assert!(!quality.figures().last().unwrap().passed(), "another size");
    }

    #[test]
    fn the_same_field_is_no_other_witness() {
        let fields = fields();
        let mut gate = QualityGate::default();
        let problem = |image: &RgbImage, gate: &mut QualityGate| {
            let quality = gate.assess(&image.clone().into(), None);
            quality.failure().map(|figure| figure.problem)
        };
        let (one, other) = (&fields[0].1, &fields[1].1);
        assert_eq!(problem(one, &mut gate), None);
        assert_eq!(problem(one, &mut gate), None, "it was not judged");
        gate.remember();
        let mut noisy = one.clone();
        let mut random = random();
        for sample in noisy.iter_mut() {
            *sample = sample.saturating_add(random() % 9);
        }
        assert_eq!(problem(&noisy, &mut gate), Some(Problem::SameField));
        assert_eq!(problem(other, &mut gate), None);
        gate.forget();
        assert_eq!(problem(one, &mut gate), None);
    }

    #[test]
    fn what_is_sharp_in_a_soft_field_does_not_make_it_sharp() {
        for (name, image) in fields().into_iter().step_by(3) {
            let (width, height) = image.dimensions();
            let soft = blur(&image, 6.0 * width as f32 / 640.0);
            let mut marked = soft.clone();
            for (x, y, pixel) in marked.enumerate_pixels_mut() {
                // A scale bar and a speck.
                let is_bar = y > height * 9 / 10 && y < height * 23 / 25 && x > width * 3 / 4;
                let is_speck = x.abs_diff(width / 4) < 4 && y.abs_diff(height / 4) < 4;
                if is_bar || is_speck {
                    *pixel = Rgb([0; 3]);
                }
            }
            assert_eq!(problem(&marked), Some(Problem::OutOfFocus), "{name}");
            let mut half = soft;
            for (x, y, pixel) in half.enumerate_pixels_mut() {
                if x < width / 2 {
                    *pixel = *image.get_pixel(x, y);
                }
            }
            assert_eq!(problem(&half), Some(Problem::OutOfFocus), "{name}");
        }
    }

    #[test]
    fn a_field_without_white_cells_is_told_from_what_is_no_smear() {
        // Red cells alone on pale ground.
        let red = RgbImage::from_fn(640, 480, |x, y| {
            let (x, y) = (x % 60, y % 60);
            let is_cell = x.abs_diff(30).pow(2) + y.abs_diff(30).pow(2) < 400;
            Rgb(if is_cell {
                [214, 160, 165]
            } else {
                [225, 222, 226]
            })
        });
        assert_eq!(problem(&red), Some(Problem::NoWhiteCells));
    }

    #[test]
    fn half_a_field_in_the_dark_and_tinted_lamps_are_refused() {
        for (name, image) in fields() {
            let mut shaded = image.clone();
            let middle = image.width() / 2;
            for (x, _, pixel) in shaded.enumerate_pixels_mut() {
                if x < middle {
                    pixel.0 = pixel.0.map(|sample| sample / 10);
                }
            }
            assert_eq!(problem(&shaded), Some(Problem::Uneven), "{name}");
            let mut tinted = image.clone();
            tinted.pixels_mut().for_each(|pixel| pixel[2] /= 3);
            assert_eq!(problem(&tinted), Some(Problem::ColourCast), "{name}");
        }
    }
}
