//! `smearscope-train bench`: how fast training is on this machine.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::dataset::{Dataset, Sample, Source};
use crate::error::TrainError;
use crate::training::batch::{self, Batch, Numbered};
use crate::training::train::{Learner, Plan};

/// Steps that are not counted: first use of memory, threads and kernels.
const WARM_UP: usize = 3;

/// What to time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bench {
    pub(crate) data: Source,
    pub(crate) plan: Plan,
    pub(crate) steps: usize,
    pub(crate) json: bool,
}

/// What it took.
#[derive(Debug, Serialize)]
struct Timing {
    network: &'static str,
    threads: usize,
    batch_size: usize,
    steps: usize,
    /// Forward pass, backward pass and Adam on a batch that is there.
    step_ms: Quartiles,
    /// From one step to the next with varied images, as `fit` does it.
    fit_step_ms: Quartiles,
    fit_images_per_s: f64,
    /// Share of that time spent waiting for images.
    waiting: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Quartiles {
    lower: f64,
    median: f64,
    upper: f64,
}

impl Quartiles {
    /// Of at least one duration, in ms.
    fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let last = durations.len() - 1;
        let quartile = |number: usize| durations[last * number / 4].as_secs_f64() * 1e3;
        Self {
            lower: quartile(1),
            median: quartile(2),
            upper: quartile(3),
        }
    }
}

impl Bench {
    /// Times `steps` steps on one batch, and as many with images varied anew.
    pub(crate) fn run(&self) -> Result<(), TrainError> {
        let architecture = self.plan.architecture;
        let dataset = Dataset::load(&self.data, &architecture.input_contract())?;
        // A small dataset is gone through as often as needed.
        let samples: Vec<&Sample> = dataset
            .samples
            .iter()
            .cycle()
            .take(self.plan.batch_size * (WARM_UP + self.steps))
            .collect();
        let mut learner = Learner::new(&self.plan);

        let batch = Batch::plain(&samples[..self.plan.batch_size], architecture)?;
        let mut alone = Vec::new();
        for _ in 0..WARM_UP + self.steps {
            let batch = batch.clone();
            let begun = Instant::now();
            learner.step(batch, self.plan.learning_rate);
            alone.push(begun.elapsed());
        }

        let numbered: Vec<(u64, &Sample)> = (0..).zip(samples).collect();
        let batches = numbered.chunks(self.plan.batch_size);
        let (mut steps, mut waits) = (Vec::new(), Vec::new());
        let mut ended = Instant::now();
        let prepare =
            |samples: &[Numbered]| Batch::varied(samples, architecture, self.plan.seed, 1);
        batch::each_prepared(batches, prepare, |batch| {
            waits.push(ended.elapsed());
            learner.step(batch, self.plan.learning_rate);
            steps.push(ended.elapsed());
            ended = Instant::now();
            Ok(())
        })?;

        let counted = |durations: &[Duration]| durations[WARM_UP..].to_vec();
        let whole: Duration = steps[WARM_UP..].iter().sum();
        let waiting: Duration = waits[WARM_UP..].iter().sum();
        let timing = Timing {
            network: architecture.name(),
            threads: rayon::current_num_threads(),
            batch_size: self.plan.batch_size,
            steps: self.steps,
            step_ms: Quartiles::of(counted(&alone)),
            fit_step_ms: Quartiles::of(counted(&steps)),
            fit_images_per_s: (self.steps * self.plan.batch_size) as f64 / whole.as_secs_f64(),
            waiting: waiting.as_secs_f64() / whole.as_secs_f64(),
        };
        timing.tell(self.json);
        Ok(())
    }
}

impl Timing {
    fn tell(&self, json: bool) {
        if json {
            println!("{}", serde_json::json!(self));
            return;
        }
        let Self {
            network,
            threads,
            batch_size,
            steps,
            ..
        } = self;
        println!("{network}, {steps} steps of {batch_size} images, {threads} threads");
        for (name, times) in [
            ("one step alone", self.step_ms),
            ("one step of fit", self.fit_step_ms),
        ] {
            let Quartiles {
                lower,
                median,
                upper,
            } = times;
            println!("  {name:<18}{median:8.1} ms  (quartiles {lower:.1} to {upper:.1})");
        }
        println!("  images             {:7.1} per s", self.fit_images_per_s);
        println!("  waiting for them   {:7.2} %", self.waiting * 100.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_those_of_the_sorted_times() {
        let times = [5, 1, 3, 2, 4].map(Duration::from_millis);
        let expected = Quartiles {
            lower: 2.0,
            median: 3.0,
            upper: 4.0,
        };
        assert_eq!(Quartiles::of(times.into()), expected);
    }
}
