//! Weights under which both classes count the same.

/// The weight of an image of each class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ClassWeights {
    positive: f64,
    negative: f64,
}

impl ClassWeights {
    /// Every image weighs the same.
    pub(crate) const EVEN: Self = Self {
        positive: 1.0,
        negative: 1.0,
    };

    /// Weights of which each class has half, however many of these images are positive, and which are
    /// 1 on average. All are 1 if a class is missing.
    pub(crate) fn balance(labels: impl Iterator<Item = bool>) -> Self {
        let (mut images, mut positives) = (0_usize, 0_usize);
        for positive in labels {
            images += 1;
            positives += usize::from(positive);
        }
        let negatives = images - positives;
        let half = images as f64 / 2.0;
        if positives == 0 || negatives == 0 {
            return Self::EVEN;
        }
        Self {
            positive: half / positives as f64,
            negative: half / negatives as f64,
        }
    }

    pub(crate) fn of(self, positive: bool) -> f64 {
        if positive {
            self.positive
        } else {
            self.negative
        }
    }
}
