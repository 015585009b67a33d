//! Measures all quality figures of a picture.

use image::GrayImage;
use image::buffer::ConvertBuffer;
use smearscope_artifacts::InputContract;
use smearscope_artifacts::decode::Picture;

use crate::analysis::quality::blur::blur;
use crate::analysis::quality::colour::{Colour, Colours};
use crate::analysis::quality::downscale::Downscaler;
use crate::analysis::quality::figure::{Problem, Quality};
use crate::analysis::quality::luma::{Luma32, grey};
use crate::analysis::quality::mask::Mask;
use crate::analysis::quality::sharpness::Sharpness;
use crate::analysis::quality::{blood, colour_shading, focus, light, motion, motion_blur, stain};

/// Longer side of the downscaled picture for light, focus and motion.
const SIDE: u32 = InputContract::MIN_REDUCED_SIDE / 2;
/// Longer side of the downscaled picture for colours: noise is averaged away, nuclei are not.
const COLOUR_SIDE: u32 = 96;
/// Networks take 100×100 pixels or more as input; a smaller picture has less detail than they were trained on.
const MIN_SIDE: u32 = 100;
/// Pixels of that picture next to an object in which its edge lies.
const RIM: usize = 1;
/// Luma below which a pixel outside nuclei is dust, as a share of the highlights.
const DUST_LUMA: f32 = 0.4;
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
    max_colour_shading: f32,
}

impl Default for QualityGate {
    fn default() -> Self {
        Self {
            downscaler: Downscaler::new(SIDE),
            colour_downscaler: Downscaler::new(COLOUR_SIDE),
            measured: None,
            judged: None,
            max_colour_shading: colour_shading::MAX_AT_CELLS,
        }
    }
}

impl QualityGate {
    /// The gate for a model that judges whole fields. The default one is for models that count cells.
    pub fn for_whole_fields() -> Self {
        Self {
            max_colour_shading: colour_shading::MAX_IN_FIELDS,
            ..Self::default()
        }
    }

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
        colour_shading::measure(&colours, self.max_colour_shading, &mut quality);
        let luma: Luma32 = grey.convert();
        let denoised = denoised(&luma);
        let stained = stained(&grey, &colours, highlights);
        let sharpness = Sharpness::of(&luma, &denoised, &stained);
        focus::measure(&sharpness, &mut quality);
        motion_blur::measure(&sharpness, &mut quality);
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

/// The pixels in and next to nuclei and cells, but not next to dust.
fn stained(grey: &GrayImage, colours: &Colours, highlights: f32) -> Mask {
    let nuclei = Mask::of(colours, Colour::is_nucleus).grown(RIM);
    let is_dark = |luma| f32::from(luma) < DUST_LUMA * highlights;
    let dust = Mask::of_any(grey, colours, is_dark).without(&nuclei);
    let objects = Mask::of(colours, Colour::is_stained).grown(RIM);
    objects.without(&dust.grown(RIM))
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
    use crate::analysis::quality::luma;

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
                    // Samples of the downscaled pictures differ by one or two levels. Motion blur compares two
                    // figures of focus, less 1 each, so it differs more.
                    let bound = match expected.name {
                        "motion_blur" => 0.1,
                        _ => 0.02 * expected.value.abs() + 0.01,
                    };
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

    /// The value of a figure of this picture.
    fn figure(image: &RgbImage, name: &str) -> f32 {
        let quality = assess(image, None);
        let figure = quality.figures().iter().find(|figure| figure.name == name);
        figure.unwrap().value
    }

    /// The mean of pictures moved by up to `length` pixels of a 512-pixel picture, along (across, down).
    fn motion_blurred(image: &RgbImage, length: f32, [across, down]: [f32; 2]) -> RgbImage {
        const STEPS: i32 = 16;
        let (width, height) = image.dimensions();
        let length = length * width.max(height) as f32 / 512.0;
        RgbImage::from_fn(width, height, |x, y| {
            let mut sums = [0; 3];
            for step in 0..STEPS {
                let way = length * (step as f32 / (STEPS - 1) as f32 - 0.5);
                let at = |at: u32, by: f32, most: u32| {
                    (at as f32 + by * way).round().clamp(0.0, (most - 1) as f32) as u32
                };
                let pixel = image.get_pixel(at(x, across, width), at(y, down, height));
                for (sum, sample) in sums.iter_mut().zip(pixel.0) {
                    *sum += i32::from(sample);
                }
            }
            Rgb(sums.map(|sum| (sum / STEPS) as u8))
        })
    }

    #[test]
    fn fields_that_moved_during_the_exposure_are_refused() {
        let half = std::f32::consts::FRAC_1_SQRT_2;
        for (name, image) in fields().into_iter().step_by(4) {
            let still = figure(&image, "motion_blur");
            assert!(still < 0.5, "{name}: {still}");
            for direction in [[1.0, 0.0], [0.0, 1.0], [half, half], [half, -half]] {
                let moved = figure(&motion_blurred(&image, 24.0, direction), "motion_blur");
                assert!(moved > 0.55, "{name}, along {direction:?}: {moved}");
            }
        }
    }

    #[test]
    fn sharp_dust_does_not_hide_soft_cells() {
        // Not field04: nuclei fill most of it, and dust on a nucleus looks like a part of it.
        for (name, image) in fields().into_iter().step_by(2) {
            let pixel = image.width() as f32 / 640.0;
            let mut soft = blur(&image, 6.0 * pixel);
            let (width, height) = soft.dimensions();
            // A speck in each square of an eighth of the field.
            let spacing = width / 8;
            for y in 0..height {
                for x in 0..width {
                    let [x_off, y_off] = [x, y].map(|at| (at % spacing).abs_diff(spacing / 2));
                    let square = (x_off.pow(2) + y_off.pow(2)) as f32;
                    if square < (3.0 * pixel).powi(2) {
                        soft.put_pixel(x, y, Rgb([30, 30, 32]));
                    }
                }
            }
            let focus = figure(&soft, "focus");
            assert!(focus < 1.215, "{name}: {focus}");
        }
    }

    #[test]
    fn a_single_sharp_cell_is_in_focus() {
        let light = [222, 218, 224];
        let cell = |sigma: f32| {
            let image = RgbImage::from_fn(640, 480, |x, y| {
                let distance = x.abs_diff(250).pow(2) + y.abs_diff(190).pow(2);
                Rgb(if distance < 18_u32.pow(2) {
                    [95, 45, 140]
                } else {
                    light
                })
            });
            figure(&blur(&image, sigma), "focus")
        };
        let (sharp, soft) = (cell(1.0), cell(5.0));
        assert!((1.5..2.5).contains(&sharp), "{sharp}");
        assert!((1.0..1.215).contains(&soft), "{soft}");
    }

    #[test]
    fn fields_with_a_tinted_rim_are_refused() {
        for (name, image) in fields().into_iter().step_by(4) {
            // Divides green by `most` in the corners, and by its square root in the middle of an edge.
            let shaded_by = |most: f32| {
                let mut shaded = image.clone();
                let (width, height) = image.dimensions();
                for (x, y, pixel) in shaded.enumerate_pixels_mut() {
                    let place = |at: u32, length: u32| 2.0 * at as f32 / length as f32 - 1.0;
                    let square = place(x, width).powi(2) + place(y, height).powi(2);
                    pixel[1] = (f32::from(pixel[1]) * most.powf(-square / 2.0)) as u8;
                }
                shaded
            };
            let shaded = |most| figure(&shaded_by(most), "colour_shading");
            let plain = figure(&image, "colour_shading");
            assert!((1.0..1.25).contains(&plain), "{name}: {plain}");
            let purple = shaded(1.5);
            assert!((1.35..1.75).contains(&purple), "{name}: {purple}");
            let deep = shaded(3.0);
            assert!(deep > 2.3, "{name}: {deep}");
            let of_fields = QualityGate::for_whole_fields().assess(&shaded_by(1.7).into(), None);
            let of_fields = serde_json::to_value(of_fields).unwrap();
            assert_eq!(of_fields["colour_shading"]["passed"], false, "{name}");
        }
    }

    /// Turns everything except nuclei to a grey-blue that absorbs as much light.
    fn with_grey_blue_red_cells(image: &RgbImage) -> RgbImage {
        let grey = luma::grey(image);
        let highlights = {
            let mut lumas = grey.into_raw();
            let rank = lumas.len() * 19 / 20;
            f32::from(*lumas.select_nth_unstable(rank).1)
        };
        let colours = Colours::of(image, highlights);
        let nuclei = Mask::of(&colours, |colour| {
            colour.is_nucleus() && colour.blue - colour.green > 0.22
        });
        let mut grey_blue = image.clone();
        for (at, pixel) in grey_blue.pixels_mut().enumerate() {
            let density: f32 = colours.pixels[at]
                .channels()
                .map(|light| -light.max(0.01).ln())
                .iter()
                .sum();
            if density > 0.0 && !nuclei.pixels()[at] {
                let shares = [0.38, 0.345, 0.275];
                pixel.0 = std::array::from_fn(|channel| {
                    (colours.background[channel] * (-density * shares[channel]).exp()) as u8
                });
            }
        }
        grey_blue
    }

    #[test]
    fn fields_with_grey_blue_red_cells_pass() {
        for (name, image) in fields().into_iter().step_by(2) {
            let grey_blue = with_grey_blue_red_cells(&image);
            assert_eq!(
                problem(&grey_blue),
                None,
                "{name}: {:?}",
                assess(&grey_blue, None)
            );
        }
    }
}
