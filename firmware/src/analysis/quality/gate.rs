//! Measures all quality figures of a picture.

use image::buffer::ConvertBuffer;
use smearscope_artifacts::InputContract;
use smearscope_artifacts::decode::Picture;

use crate::analysis::quality::blur::blur;
use crate::analysis::quality::colour::Colours;
use crate::analysis::quality::downscale::Downscaler;
use crate::analysis::quality::figure::{Problem, Quality};
use crate::analysis::quality::luma::{Luma32, grey};
use crate::analysis::quality::{blood, focus, light, motion, stain};

/// Longer side of the downscaled picture for light, focus and motion.
const SIDE: u32 = InputContract::MIN_REDUCED_SIDE / 2;
/// Longer side of the downscaled picture for colours: noise is averaged away, nuclei are not.
const COLOUR_SIDE: u32 = 96;
/// Networks take 100×100 pixels or more as input; a smaller picture has less detail than they were trained on.
const MIN_SIDE: u32 = 100;
/// Standard deviation of the blur that removes the camera's noise, in pixels of the downscaled picture.
const NOISE_BLUR: f32 = 1.0;

/// Measures pictures and remembers the field that was judged last. It reuses its buffers.
pub struct QualityGate {
    downscaler: Downscaler,
    colour_downscaler: Downscaler,
    /// Denoised luma of the picture measured last.
    measured: Option<Luma32>,
    /// Denoised luma of the field of this slide that was judged last.
    judged: Option<Luma32>,
}

impl Default for QualityGate {
    fn default() -> Self {
        Self {
            downscaler: Downscaler::new(SIDE),
            colour_downscaler: Downscaler::new(COLOUR_SIDE),
            measured: None,
            judged: None,
        }
    }
}

impl QualityGate {
    /// Measures a picture, its movement since an `earlier` one of the same stream, and its distance from the field
    /// judged last. A picture that is too small is not measured further.
    pub fn assess(&mut self, picture: &Picture, earlier: Option<&Picture>) -> Quality {
        let mut quality = Quality::default();
        let side = picture.original_size.0.min(picture.original_size.1);
        quality.require_min("side", side as f32, MIN_SIDE as f32, Problem::TooSmall);
        if quality.failure().is_some() {
            return quality;
        }
        let earlier = earlier.map(|earlier| {
            let image = self.downscaler.downscale(&earlier.image);
            denoised(&grey(image).convert())
        });
        let image = self.downscaler.downscale(&picture.image);
        let grey = grey(image);
        let highlights = light::measure(&grey, &mut quality);
        let small = self.colour_downscaler.downscale(image);
        let colours = Colours::of(small, highlights);
        stain::measure(&colours, &mut quality);
        let luma: Luma32 = grey.convert();
        let denoised = denoised(&luma);
        focus::measure(&luma, &denoised, &mut quality);
        blood::measure(&colours, &mut quality);
        if let Some(earlier) = earlier {
            motion::measure(&earlier, &denoised, &mut quality);
        }
        if let Some(judged) = &self.judged {
            motion::measure_move(judged, &denoised, &mut quality);
        }
        self.measured = Some(denoised);
        quality
    }

    /// Records that the picture measured last was judged. The same field is then refused, because repeating it
    /// adds no evidence.
    pub fn mark_judged(&mut self) {
        self.judged = self.measured.take();
    }

    /// Forgets the field judged last, at the start of another slide.
    pub fn clear_judged(&mut self) {
        self.judged = None;
    }
}

/// Luma without the camera's noise.
fn denoised(luma: &Luma32) -> Luma32 {
    blur(luma, NOISE_BLUR)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use image::imageops::{blur, brighten, resize};
    use image::{Rgb, RgbImage};
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

    /// The shipped fields, and real micrographs if available.
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

    /// A linear congruential generator (Numerical Recipes).
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
            // A dark field is not washed out completely, but its nuclei are.
            let problem = problem(&bright);
            let expected = [Problem::TooBright, Problem::NoWhiteCells].map(Some);
            assert!(expected.contains(&problem), "{name}: {problem:?}");
        }
    }

    #[test]
    fn the_gate_does_not_depend_on_resolution() {
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
    fn figures_of_a_reduced_picture_match_the_full_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model-artifacts/smear-demo");
        let files = smearscope_artifacts::ModelFiles::open(&folder)
            .unwrap()
            .into_field()
            .unwrap();
        let contract = &files.manifest().model.input;
        for (name, image) in fields().into_iter().step_by(5) {
            let pixel = image.width() as f32 / 640.0;
            for small in [image.clone(), blur(&image, 4.0 * pixel)] {
                let filter = image::imageops::FilterType::CatmullRom;
                let mut jpeg = Vec::new();
                image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 92)
                    .encode_image(&resize(&small, 2592, 1944, filter))
                    .unwrap();
                let [full, reduced] = [None, Some(contract)].map(|contract| {
                    decode::decode_for(contract, &jpeg, &Limits::default()).unwrap()
                });
                assert_eq!(reduced.image.width(), 1296);
                let [full, reduced] =
                    [full, reduced].map(|picture| QualityGate::default().assess(&picture, None));
                let problem = |quality: &Quality| quality.failure().map(|figure| figure.problem);
                assert_eq!(problem(&full), problem(&reduced), "{name}");
                assert_eq!(full.figures().len(), reduced.figures().len());
                for (expected, found) in full.figures().iter().zip(reduced.figures()) {
                    println!("{name}: {expected} and {found}");
                    // Samples of the downscaled pictures differ by one or two levels.
                    let bound = 0.02 * expected.value.abs() + 0.01;
                    assert!(
                        (expected.value - found.value).abs() <= bound,
                        "{name}: {expected} and {found}"
                    );
                }
                assert_eq!(
                    full.figures()[0],
                    reduced.figures()[0],
                    "the size of the original picture"
                );
            }
        }
    }

    #[test]
    fn pictures_other_than_smears_are_refused() {
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
    fn a_moving_field_is_refused_but_not_a_trembling_one() {
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
    fn the_same_field_is_refused_after_it_was_judged() {
        let fields = fields();
        let mut gate = QualityGate::default();
        let problem = |image: &RgbImage, gate: &mut QualityGate| {
            let quality = gate.assess(&image.clone().into(), None);
            quality.failure().map(|figure| figure.problem)
        };
        let (one, other) = (&fields[0].1, &fields[1].1);
        assert_eq!(problem(one, &mut gate), None);
        assert_eq!(
            problem(one, &mut gate),
            None,
            "the first one was not judged"
        );
        gate.mark_judged();
        let mut noisy = one.clone();
        let mut random = random();
        for sample in noisy.iter_mut() {
            *sample = sample.saturating_add(random() % 9);
        }
        assert_eq!(problem(&noisy, &mut gate), Some(Problem::SameField));
        assert_eq!(problem(other, &mut gate), None);
        gate.clear_judged();
        assert_eq!(problem(one, &mut gate), None);
    }

    #[test]
    fn sharp_details_do_not_hide_a_soft_field() {
        for (name, image) in fields().into_iter().step_by(3) {
            let (width, height) = image.dimensions();
            let soft = blur(&image, 6.0 * width as f32 / 640.0);
            let mut marked = soft.clone();
            for (x, y, pixel) in marked.enumerate_pixels_mut() {
                // A scale bar and a speck of dust.
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
    fn red_cells_alone_are_reported_as_no_white_cells() {
        // Red cells on a pale background.
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
    fn half_shaded_and_tinted_fields_are_refused() {
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
