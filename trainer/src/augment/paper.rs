//! The transforms of the paper that the reference project follows (Thanh et al., "Acute Leukemia
//! Classification Using Convolution Neural Network in Clinical Decision Support System"). Two mistakes
//! of the project are corrected: rotation angles vary, and the image stays in the frame.

use image::{Rgb, RgbImage, imageops};
use rand::{Rng, RngExt};

use super::warp::{Affine, Border};
use super::{blur, tone};

/// The background of a smear.
const BACKGROUND: Border<Rgb<u8>> = Border::Colour(Rgb([162, 159, 144]));
const BLUR: f32 = 5.11;
const ROTATION_SCALE: f32 = 0.7;
const SHEAR: f32 = 0.5;
/// Largest translation, as a share of the frame.
const MAX_TRANSLATION: f32 = 0.25;

/// One of the paper's transforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transform {
    Grey,
    EqualisedLuma,
    ReflectedDown,
    ReflectedAcross,
    Blurred,
    Translated,
    Rotated,
    Sheared,
}

impl Transform {
    pub(crate) const ALL: [Self; 8] = [
        Self::Grey,
        Self::EqualisedLuma,
        Self::ReflectedDown,
        Self::ReflectedAcross,
        Self::Blurred,
        Self::Translated,
        Self::Rotated,
        Self::Sheared,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Grey => "grey",
            Self::EqualisedLuma => "equalised luma",
            Self::ReflectedDown => "reflected down",
            Self::ReflectedAcross => "reflected across",
            Self::Blurred => "blurred",
            Self::Translated => "translated",
            Self::Rotated => "rotated",
            Self::Sheared => "sheared",
        }
    }

    /// The transformed image, in the same size; angles and distances are random.
    pub(crate) fn apply(self, image: &RgbImage, rng: &mut impl Rng) -> RgbImage {
        let (width, height) = (image.width() as f32, image.height() as f32);
        match self {
            Self::Grey => tone::grey(image),
            Self::EqualisedLuma => tone::equalise_luma(image),
            Self::ReflectedDown => imageops::flip_vertical(image),
            Self::ReflectedAcross => imageops::flip_horizontal(image),
            Self::Blurred => blur::gaussian(image, BLUR),
            Self::Translated => {
                let mut share = || rng.random_range(-MAX_TRANSLATION..=MAX_TRANSLATION);
                let (right, down) = (width * share(), height * share());
                Affine::translation(right, down).apply(image, BACKGROUND)
            }
            Self::Rotated => {
                let angle = rng.random_range(-180.0..180.0);
                rotation(width, height, angle).apply(image, BACKGROUND)
            }
            Self::Sheared => Affine::shear(SHEAR).apply(image, BACKGROUND),
        }
    }
}

/// Rotations of an image in the reference project's augmented set.
const ROTATIONS: usize = 10;

/// The 17 copies that the reference project added to an image: each transform once, and more
/// rotations.
pub(crate) fn published(image: &RgbImage, rng: &mut impl Rng) -> Vec<RgbImage> {
    let rotations = std::iter::repeat_n(Transform::Rotated, ROTATIONS - 1);
    let transforms = Transform::ALL.into_iter().chain(rotations);
    transforms
        .map(|transform| transform.apply(image, rng))
        .collect()
}

fn rotation(width: f32, height: f32, degrees: f32) -> Affine {
    Affine::rotation((width / 2.0, height / 2.0), degrees, ROTATION_SCALE)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use smearscope_artifacts::testing::{micrographs, skip};

    use super::*;
    use crate::testing::python;

    /// Largest and mean difference of two pictures, in levels.
    fn difference(a: &RgbImage, b: &RgbImage) -> (u8, f64) {
        assert_eq!(a.dimensions(), b.dimensions());
        let pairs = a.iter().zip(b.iter());
        let differences: Vec<u8> = pairs.map(|(a, b)| a.abs_diff(*b)).collect();
        let sum: f64 = differences.iter().copied().map(f64::from).sum();
        let largest = differences.iter().copied().max().unwrap_or(0);
        (largest, sum / differences.len() as f64)
    }

    #[test]
    fn each_transform_is_that_of_opencv_and_scipy() {
        // The limits below were measured on this image.
        let name = "BloodImage_00038.jpg";
        let found = micrographs().into_iter().find(|path| path.ends_with(name));
        let Some(micrograph) = found else {
            skip(format_args!("{name} is not among the micrographs"));
            return;
        };
        let image = image::open(micrograph).unwrap().to_rgb8();
        let folder = tempfile::tempdir().unwrap();
        image.save(folder.path().join("image.png")).unwrap();
        if python("augment_reference.py", folder.path().to_str().unwrap()).is_none() {
            return;
        }

        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut own = |transform: Transform| transform.apply(&image, &mut rng);
        let (width, height) = (image.width() as f32, image.height() as f32);
        // One level: both round, here and there to the other side.
        // OpenCV keeps chroma in whole levels (up to 2 after its weights of up to 2.03, and 1 of luma)
        // and, when it warps, places in 32nds of a pixel, which shows at the sharpest edges.
        for (name, picture, largest, mean) in [
            ("grey", own(Transform::Grey), 1, 0.1),
            ("equalised", own(Transform::EqualisedLuma), 4, 1.0),
            ("down", own(Transform::ReflectedDown), 0, 0.0),
            ("across", own(Transform::ReflectedAcross), 0, 0.0),
            ("blurred", own(Transform::Blurred), 1, 0.01),
            (
                "translated",
                Affine::translation(84.0, 56.0).apply(&image, BACKGROUND),
                0,
                0.0,
            ),
            (
                "translated_part",
                Affine::translation(-10.3, 7.45).apply(&image, BACKGROUND),
                1,
                0.01,
            ),
            (
                "rotated",
                rotation(width, height, 37.0).apply(&image, BACKGROUND),
                1,
                0.01,
            ),
            (
                "rotated_opencv",
                rotation(width, height, 37.0).apply(&image, BACKGROUND),
                8,
                0.3,
            ),
            ("sheared", own(Transform::Sheared), 1, 0.01),
            (
                "mirrored",
                rotation(width, height, 200.0).apply(&image, Border::Mirror),
                1,
                0.01,
            ),
            (
                "restained",
                tone::restain(&image, [1.2, 0.9, 1.05], [0.02, -0.03, 0.0]),
                1,
                0.01,
            ),
        ] {
            let path = folder.path().join(name).with_extension("png");
            let expected = image::open(path).unwrap().to_rgb8();
            let found = difference(&picture, &expected);
            assert!(found.0 <= largest && found.1 <= mean, "{name}: {found:?}");
        }
    }

    #[test]
    fn angles_and_distances_differ() {
        let image = crate::synth::example_field(2, 100, 100);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for transform in [Transform::Rotated, Transform::Translated] {
            let drawn: Vec<RgbImage> = (0..10).map(|_| transform.apply(&image, &mut rng)).collect();
            for (index, one) in drawn.iter().enumerate() {
                assert!(!drawn[..index].contains(one), "{transform:?}");
            }
        }
    }

    #[test]
    fn a_translation_leaves_most_of_the_image_in_the_frame() {
        let image = RgbImage::from_pixel(100, 100, Rgb([9, 9, 9]));
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for _ in 0..200 {
            let moved = Transform::Translated.apply(&image, &mut rng);
            let kept = moved.pixels().filter(|pixel| pixel.0 == [9, 9, 9]).count();
            assert!(kept >= 74 * 74, "{kept}");
        }
    }

    #[test]
    fn an_image_of_one_level_is_not_equalised() {
        let flat = RgbImage::from_pixel(8, 8, Rgb([40, 90, 20]));
        assert_eq!(tone::equalise_luma(&flat), flat);
    }
}
