//! Encodings: how 8-bit samples become the values of an input.

use smearscope_artifacts::{ChannelOrder, Colour, InputContract, ResizeFilter};

use crate::graph::foreign::Adaptation;

/// How 8-bit samples become the network's values: `(sample × scale − mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Encoding {
    pub(crate) channels: ChannelOrder,
    pub(crate) scale: f32,
    /// In the order of the channels.
    pub(crate) mean: [f32; 3],
    pub(crate) std: [f32; 3],
}

const CHANNELS: [ChannelOrder; 2] = [ChannelOrder::Rgb, ChannelOrder::Bgr];
/// Mean and standard deviation of `ImageNet`'s images, in the order red, green, blue: those of
/// torchvision for values from 0 to 1, and the mean of Caffe for values from 0 to 255.
const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
const CAFFE_MEAN: [f32; 3] = [123.68, 116.779, 103.939];

impl Encoding {
    /// The common encodings, with red or blue first: values from 0 to 1, −1 to 1, 0 to 2 and 0 to 255, and
    /// those of networks that were trained on `ImageNet`.
    pub(super) fn common() -> Vec<Self> {
        const VALUES: [(f32, [f32; 3], [f32; 3]); 6] = [
            (1.0 / 255.0, [0.0; 3], [1.0; 3]),
            (1.0 / 127.5, [1.0; 3], [1.0; 3]),
            (1.0 / 127.5, [0.0; 3], [1.0; 3]),
            (1.0, [0.0; 3], [1.0; 3]),
            (1.0 / 255.0, IMAGENET_MEAN, IMAGENET_STD),
            (1.0, CAFFE_MEAN, [1.0; 3]),
        ];
        let of = |channels| {
            let ordered = move |[red, green, blue]: [f32; 3]| match channels {
                ChannelOrder::Rgb => [red, green, blue],
                ChannelOrder::Bgr => [blue, green, red],
            };
            VALUES.map(|(scale, mean, std)| Self {
                channels,
                scale,
                mean: ordered(mean),
                std: ordered(std),
            })
        };
        CHANNELS.map(of).concat()
    }

    /// The encodings of a network that takes whole numbers, and therefore the samples themselves.
    pub(super) fn whole_numbers() -> Vec<Self> {
        let of = |channels| Self {
            channels,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
        };
        CHANNELS.map(of).to_vec()
    }

    /// The contract of an adapted network's input.
    pub(crate) fn contract(self, adaptation: &Adaptation, resize: ResizeFilter) -> InputContract {
        InputContract {
            width: adaptation.width,
            height: adaptation.height,
            channels: self.channels,
            layout: adaptation.layout,
            resize,
            colour: Colour::Rgb,
            scale: self.scale,
            mean: self.mean,
            std: self.std,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::float_cmp, reason = "constants are equal or not")]
    #[test]
    fn common_encodings_differ() {
        let all = Encoding::common();
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one), "{one:?}");
        }
        let imagenet = |encoding: &&Encoding| {
            encoding.channels == ChannelOrder::Bgr && encoding.mean[2] == IMAGENET_MEAN[0]
        };
        let found = all.iter().find(imagenet).unwrap();
        assert_eq!(found.mean, [0.406, 0.456, 0.485]);
        assert_eq!(found.std, [0.225, 0.224, 0.229]);
    }
}
