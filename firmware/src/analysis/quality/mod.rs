//! The quality gate: decides whether a picture is good enough for the model.
//!
//! All figures are measured on pictures downscaled to at most 512 pixels on their longer side, so that they depend on
//! the field of view and not on the camera's resolution, and cost little on a Pi. The limits were chosen
//! on the 21 micrographs of the BCCD test set, on the trainer's synthetic fields, whose stains and lamps
//! vary more than those of a single laboratory, and on pictures that must be refused:
//!
//! | figure | BCCD and shipped fields | refused pictures | limit |
//! |---|---|---|---|
//! | `highlights` (95th percentile of luma) | 162–242 | one tenth of the light: 16–24 | ≥ 80 |
//! | `clipped` (share of luma ≥ 250) | 0 | brightened by 200 levels: 0.81–1 | ≤ 0.9 |
//! | `contrast` (95th − 5th percentile) | 52–196 | plain grey: 0 | ≥ 20 |
//! | `evenness` (darkest ÷ brightest of 12 tiles) | 0.70–0.94 | half of the field shaded: 0.08–0.10 | ≥ 0.25 |
//! | `garish` (share of saturated colours) | 0–0.063 | colour bars: 0.84 | ≤ 0.2 |
//! | `coverage` (1 − share of background) | 0.10–0.64 | colour noise: 0.97 | ≤ 0.95 |
//! | `red_cells` (share of red-cell pixels) | 0.055–0.51 | grey pictures: 0 | ≥ 0.01 |
//! | `nuclei` (share of purple pixels) | 0.023–0.48 | red cells only: 0 | ≥ 0.002 |
//! | `cast` (strongest ÷ weakest channel of the background) | 1.01–1.33 | blue reduced to a third: 2.97–4.02 | ≤ 1.8 |
//! | `unstained_dark` (share of dark pixels that absorb another colour more than green) | 0–0.002 | crops of photographs: 0–0.78 | ≤ 0.03 |
//! | `red_cell_green` (share of green in the optical density of red cells) | 0.350–0.562 | crops of photographs: 0.25–0.48 | ≥ 0.335 |
//! | `background_spread` (standard deviation of the bright pixels) | 0.065–0.095 | crops of photographs: 0.06–0.53 | ≤ 0.18 |
//! | `focus` | 1.220–1.742 | blurred with σ = 4 at 640 pixels width: 1.120–1.193 | ≥ 1.2 |
//! | `motion` (in pixels, between two frames) | | moved by 1.2 % of the field | ≤ 2 |
//! | `moved` (in pixels, since the previous field) | | the same field, with noise | ≥ 1 |
//! | `distance` (from the model's training images, here of `smear-demo`) | 1.52–4.88 | | from the manifest, 6.80 |
//!
//! A JPEG that is [reduced](smearscope_artifacts::InputContract::reduction) during decoding still has at least twice as
//! many pixels as the downscaled picture. Its figures differ from those of the full picture by at most 2 % and 0.01.
//!
//! ALL-IDB1 was not available, so it is unknown whether its fields pass.

mod blood;
mod blur;
mod colour;
mod downscale;
mod figure;
mod focus;
mod gate;
mod gradient;
mod light;
mod luma;
mod motion;
mod stain;
mod tiles;

pub(crate) use downscale::Downscaler;
pub use figure::{Problem, Quality};
pub use gate::QualityGate;
