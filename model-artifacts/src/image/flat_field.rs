//! Flat-field correction: even, neutral light from a picture of an empty field.

use image::RgbImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::background::{Background, TERMS, relative};

/// Columns between two places where the light is computed; in between it is interpolated.
const STEP: usize = 32;
/// Samples from here on are clipped: nothing is known about the light.
const CLIPPED: u8 = 250;
/// Largest share of clipped pixels of an empty field.
const MAX_CLIPPED: f32 = 0.002;
/// Darkest brightness of an empty field, as its brightest sample.
const MIN_WHITE: f32 = 80.0;
/// A pixel with less than this share of its empty place's light shows something.
const SHOWN: f32 = 0.85;
/// Largest share of such pixels: dust, but no cells.
const MAX_SHOWN: f32 = 0.005;
/// Smallest light at any place, of that at the brightest place. More correction would amplify noise.
const MIN_LIGHT: f32 = 0.25;
/// Places along each side where the light is compared.
const PLACES: usize = 33;

/// The light of an empty field of a camera: for each colour, a quadratic surface in the logarithm of the samples.
///
/// [`FlatField::correct`] gives every empty place of a field the same light, neutral in colour. It is applied to samples as
/// they are encoded: shading is a factor in light, and nearly one in sRGB samples, which are nearly a power of light.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Surfaces", into = "Surfaces")]
pub struct FlatField {
    background: Background,
    /// Brightest sample of the surfaces, which all places get.
    white: f32,
}

/// The coefficients of 1, x, y, x², xy and y², both from −1 to 1, in powers of ten of the sample plus one.
#[derive(Serialize, Deserialize)]
struct Surfaces {
    red: [f32; TERMS],
    green: [f32; TERMS],
    blue: [f32; TERMS],
}

/// Why a picture cannot serve as an empty field.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NotFlat {
    /// Cells or dirt are in view.
    #[error(
        "the field is not empty: {percent:.1} % of it is darker than empty glass, at most {limit:.1} % may be; move to \
         a place without cells, and clean the slide"
    )]
    NotEmpty {
        /// Share of dark pixels.
        percent: f32,
        /// The largest that is accepted.
        limit: f32,
    },
    /// The light is too bright to be measured.
    #[error(
        "the light is too bright: {percent:.1} % of the field is white without shades; turn the lamp down"
    )]
    Clipped {
        /// Share of clipped pixels.
        percent: f32,
    },
    /// The light is too dark to be measured.
    #[error("the light is too dark: the brightest place has {white:.0} of 255; turn the lamp up")]
    Dark {
        /// The brightest place.
        white: f32,
    },
    /// The light is too uneven to be corrected.
    #[error(
        "the light is too uneven: a colour of the darkest place has {percent:.0} % of the brightest light, at least \
         {limit:.0} % is needed; centre the lamp and open the condenser"
    )]
    Uneven {
        /// Light of the darkest place.
        percent: f32,
        /// The least that is accepted.
        limit: f32,
    },
}

impl FlatField {
    /// Measures the light in a picture of an empty field.
    ///
    /// # Errors
    /// [`NotFlat`] if it is not empty, or its light cannot be measured or corrected.
    ///
    /// # Panics
    /// If the image has no pixels.
    pub fn of(empty: &RgbImage) -> Result<Self, NotFlat> {
        let share = |count: usize| count as f32 / (empty.width() * empty.height()) as f32;
        let is_clipped = |pixel: &&image::Rgb<u8>| pixel.0.iter().any(|sample| *sample >= CLIPPED);
        let clipped = share(empty.pixels().filter(is_clipped).count());
        if clipped > MAX_CLIPPED {
            return Err(NotFlat::Clipped {
                percent: 100.0 * clipped,
            });
        }
        let background = Background::fit(empty);
        let (white, least) = extremes(&background);
        if white < MIN_WHITE {
            return Err(NotFlat::Dark { white });
        }
        let flat = Self { background, white };
        if !flat.is_correctable(least) {
            return Err(NotFlat::Uneven {
                percent: 100.0 * (least + 1.0) / (white + 1.0),
                limit: 100.0 * MIN_LIGHT,
            });
        }
        let mut even = empty.clone();
        flat.correct(&mut even);
        let dark = |pixel: &&image::Rgb<u8>| {
            let least = pixel.0.iter().min().copied().unwrap_or_default();
            f32::from(least) < SHOWN * white
        };
        let shown = share(even.pixels().filter(dark).count());
        if shown > MAX_SHOWN {
            return Err(NotFlat::NotEmpty {
                percent: 100.0 * shown,
                limit: 100.0 * MAX_SHOWN,
            });
        }
        Ok(flat)
    }

    fn is_correctable(&self, least: f32) -> bool {
        least + 1.0 >= MIN_LIGHT * (self.white + 1.0)
    }

    /// The sample that empty places have after the correction, 0 to 255.
    pub fn white(&self) -> f32 {
        self.white
    }

    /// Light of the darkest place of each colour relative to that of its brightest, 0 to 1.
    pub fn evenness(&self) -> [f32; 3] {
        let samples: Vec<_> = places(&self.background).collect();
        std::array::from_fn(|channel| {
            let light = samples.iter().map(|sample| sample[channel] + 1.0);
            let brightest = light.clone().fold(0.0, f32::max);
            light.fold(f32::INFINITY, f32::min) / brightest
        })
    }

    /// Factors for red, green and blue that make the middle of the field neutral; green has 1.
    pub fn white_balance(&self) -> [f32; 3] {
        let [red, green, blue] = self
            .background
            .row(0.0)
            .at(0.0)
            .map(|light| 10.0_f32.powf(light));
        [green / red, 1.0, green / blue]
    }

    /// Gives every empty place of a field the same light. The field may have another size than the empty one, but must show
    /// the same view.
    pub fn correct(&self, image: &mut RgbImage) {
        let (width, height) = (image.width() as usize, image.height() as f32);
        if width == 0 {
            return;
        }
        let white = (self.white + 1.0).log10();
        let row_bytes = width * 3;
        let rows = image.par_chunks_exact_mut(row_bytes).enumerate();
        rows.for_each(|(y, row)| {
            let light = self.background.row(relative(y as f32, height));
            let gains = |x: usize| {
                let light = light.at(relative(x as f32, width as f32));
                light.map(|light| 10.0_f32.powf(white - light))
            };
            let mut from = gains(0);
            for (block, samples) in row.chunks_mut(STEP * 3).enumerate() {
                let to = gains((block + 1) * STEP);
                for (place, pixel) in samples.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                    let share = place as f32 / STEP as f32;
                    for channel in 0..3 {
                        let gain = from[channel] + (to[channel] - from[channel]) * share;
                        let sample = (f32::from(pixel[channel]) + 1.0) * gain - 0.5;
                        // Rounds and stays within 0 and 255.
                        pixel[channel] = sample as u8;
                    }
                }
                from = to;
            }
        });
    }
}

/// The light of empty places at places all over a field, as samples.
fn places(background: &Background) -> impl Iterator<Item = [f32; 3]> {
    let along = |place: usize| relative(place as f32, PLACES as f32);
    (0..PLACES * PLACES).map(move |place| {
        let row = background.row(along(place / PLACES));
        let light = row.at(along(place % PLACES));
        light.map(|light| 10.0_f32.powf(light) - 1.0)
    })
}

/// The brightest and the darkest sample of the surfaces.
fn extremes(background: &Background) -> (f32, f32) {
    let samples = places(background).flatten();
    samples.fold(
        (f32::NEG_INFINITY, f32::INFINITY),
        |(most, least), sample| (most.max(sample), least.min(sample)),
    )
}

/// A damaged file must not change pictures beyond what a measured light would.
impl TryFrom<Surfaces> for FlatField {
    type Error = NotFlat;

    fn try_from(surfaces: Surfaces) -> Result<Self, NotFlat> {
        let Surfaces { red, green, blue } = surfaces;
        let background = Background::with_coefficients([red, green, blue]);
        let (white, least) = extremes(&background);
        // Neither holds for a number that is none.
        if !(MIN_WHITE..=256.0).contains(&white) {
            return Err(NotFlat::Dark { white });
        }
        let flat = Self { background, white };
        if flat.is_correctable(least) {
            Ok(flat)
        } else {
            Err(NotFlat::Uneven {
                percent: 100.0 * (least + 1.0) / (white + 1.0),
                limit: 100.0 * MIN_LIGHT,
            })
        }
    }
}

impl From<FlatField> for Surfaces {
    fn from(flat: FlatField) -> Self {
        let [red, green, blue] = flat.background.coefficients();
        Self { red, green, blue }
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    const SIZE: (u32, u32) = (321, 241);

    /// The light of a lens that darkens the rim by the fourth power of the cosine, with a lamp that is off centre, in warm
    /// colours, and with noise.
    fn light(x: u32, y: u32, (width, height): (u32, u32)) -> [f32; 3] {
        let (x, y) = (
            relative(x as f32, width as f32),
            relative(y as f32, height as f32),
        );
        let rim = (0.14 * ((x - 0.1).powi(2) + y * y))
            .sqrt()
            .atan()
            .cos()
            .powi(4);
        [230.0, 205.0, 165.0].map(|white| white * rim)
    }

    /// A field of that light; `shown` is what the specimen leaves of it.
    fn field(size: (u32, u32), shown: impl Fn(u32, u32) -> f32) -> RgbImage {
        let mut noise = 1_u32;
        RgbImage::from_fn(size.0, size.1, |x, y| {
            Rgb(light(x, y, size).map(|light| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (noise >> 24) as f32 / 64.0 - 2.0;
                (light * shown(x, y) + noise).round().clamp(0.0, 255.0) as u8
            }))
        })
    }

    /// Mean of a channel around a place.
    fn mean(image: &RgbImage, (x, y): (u32, u32), channel: usize) -> f32 {
        let around = (0..81).map(|place| image.get_pixel(x - 4 + place % 9, y - 4 + place / 9));
        around.map(|pixel| f32::from(pixel.0[channel])).sum::<f32>() / 81.0
    }

    #[test]
    fn empty_places_get_the_same_neutral_light_at_any_size() {
        let flat = FlatField::of(&field(SIZE, |_, _| 1.0)).unwrap();
        for size in [SIZE, (160, 120), (642, 482)] {
            let mut image = field(size, |_, _| 1.0);
            flat.correct(&mut image);
            for place in [
                (5, 5),
                (size.0 / 2, size.1 / 2),
                (size.0 - 6, size.1 - 6),
                (5, size.1 / 2),
            ] {
                for channel in 0..3 {
                    let level = mean(&image, place, channel);
                    // 3 % of the light; before, the corners have 58 % of the middle, and blue 72 % of red.
                    assert!(
                        (level / flat.white() - 1.0).abs() < 0.03,
                        "{size:?} {place:?} {level}"
                    );
                }
            }
        }
        let [red, _, blue] = flat.white_balance();
        assert!((red - 205.0 / 230.0).abs() < 0.01 && (blue - 205.0 / 165.0).abs() < 0.01);
        assert!(
            flat.evenness()
                .iter()
                .all(|light| (0.5..0.65).contains(light))
        );
    }

    #[test]
    fn what_the_specimen_absorbs_stays() {
        let flat = FlatField::of(&field(SIZE, |_, _| 1.0)).unwrap();
        let mut image = field(
            SIZE,
            |x, y| if (x / 40 + y / 40) % 2 == 0 { 0.4 } else { 1.0 },
        );
        flat.correct(&mut image);
        for place in [(20, 20), (300, 220), (180, 100)] {
            let level = mean(&image, place, 1);
            assert!(
                (level / flat.white() - 0.4).abs() < 0.02,
                "{place:?}: {level}"
            );
        }
    }

    #[test]
    fn a_field_that_shows_something_is_not_empty() {
        let cell = |x: u32, y: u32| (x as f32 - 100.0).hypot(y as f32 - 90.0) < 15.0;
        let one = field(SIZE, |x, y| if cell(x, y) { 0.5 } else { 1.0 });
        assert!(matches!(FlatField::of(&one), Err(NotFlat::NotEmpty { .. })));
        let speck = |x: u32, y: u32| (x as f32 - 100.0).hypot(y as f32 - 90.0) < 4.0;
        let dust = field(SIZE, |x, y| if speck(x, y) { 0.5 } else { 1.0 });
        assert!(FlatField::of(&dust).is_ok());
    }

    #[test]
    fn light_that_cannot_be_measured_is_refused() {
        let bright = RgbImage::from_pixel(64, 48, Rgb([255, 250, 240]));
        assert!(matches!(
            FlatField::of(&bright),
            Err(NotFlat::Clipped { .. })
        ));
        let dark = RgbImage::from_pixel(64, 48, Rgb([60, 50, 40]));
        assert!(matches!(FlatField::of(&dark), Err(NotFlat::Dark { .. })));
        let violet = RgbImage::from_pixel(64, 48, Rgb([200, 40, 200]));
        assert!(matches!(
            FlatField::of(&violet),
            Err(NotFlat::Uneven { .. })
        ));
    }

    #[test]
    fn it_is_stored_as_its_surfaces_and_a_damaged_one_is_refused() {
        let flat = FlatField::of(&field(SIZE, |_, _| 1.0)).unwrap();
        let json = serde_json::to_string(&flat).unwrap();
        assert!(json.starts_with(r#"{"red":["#), "{json}");
        assert_eq!(serde_json::from_str::<FlatField>(&json).unwrap(), flat);
        for surface in [
            "[9.0,0,0,0,0,0]",
            "[2.0,3,0,0,0,0]",
            "[2.0,0,0,0,-9,0]",
            "[-1e30,0,0,0,0,0]",
        ] {
            let damaged =
                format!(r#"{{"red":[2.3,0,0,0,0,0],"green":{surface},"blue":[2.3,0,0,0,0,0]}}"#);
            let result = serde_json::from_str::<FlatField>(&damaged);
            assert!(result.is_err(), "{surface}");
        }
    }
}
