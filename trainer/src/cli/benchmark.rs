//! `smearscope-train benchmark`: the speed of training on this machine.

use std::time::{Duration, Instant};

use burn::tensor::Device;
use clap::Args;
use clap::builder::TypedValueParser;
use serde::Serialize;

use crate::dataset::{Dataset, Sample, Source};
use crate::error::TrainError;
use crate::networks::{Architecture, Network};
use crate::training::{Batch, Learner, Numbered, each_prepared, parse_device};

/// Steps that are not counted: first use of memory, threads and kernels.
const WARM_UP: usize = 3;
const SEED: u64 = 1;

/// Times steps (forward pass, backward pass, Adam) on one prepared batch, then steps as `fit` makes
/// them, with images augmented on other threads, and the share of that time spent waiting for images.
/// Writes no model.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Benchmark {
    #[command(flatten)]
    data: Source,
    /// Architecture whose training step is timed
    #[arg(long, value_name = "NETWORK", default_value = "reference", value_parser = Architecture::parser())]
    network: Architecture,
    /// Images per step
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024).map(usize::from))]
    batch_size: usize,
    /// Number of steps of each kind
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=10_000).map(usize::from))]
    steps: usize,
    /// Device to train on: cpu, wgpu (Vulkan, Metal) or cuda; the last two need a build with that
    /// feature
    #[arg(long, default_value = "cpu", value_parser = parse_device)]
    device: Device,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The measured times.
#[derive(Debug, Serialize)]
struct Timing {
    network: &'static str,
    threads: usize,
    batch_size: usize,
    steps: usize,
    /// Steps on a prepared batch.
    step_ms: Quartiles,
    /// From one step to the next with augmented images, as in `fit`.
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

impl Benchmark {
    /// Times the steps and prints the result.
    pub(super) fn run(&self) -> Result<(), TrainError> {
        let architecture = self.network;
        let learning_rate = architecture.learning_rate();
        let dataset = Dataset::load(&self.data, &architecture.input_contract())?;
        // A small dataset is repeated as often as needed.
        let samples: Vec<&Sample> = dataset
            .samples
            .iter()
            .cycle()
            .take(self.batch_size * (WARM_UP + self.steps))
            .collect();
        let init = |device: &Device| Network::init(architecture, SEED, device);
        let mut learner = Learner::new(&self.device, init);
        let mut step = |batch: Batch| {
            learner.step(learning_rate, |network, device| {
                let (input, labels) = batch.tensors(device);
                network.loss(input, labels, [1.0; 2], None)
            })
        };

        let batch = Batch::plain(&samples[..self.batch_size], architecture)?;
        let mut alone = Vec::new();
        for _ in 0..WARM_UP + self.steps {
            let batch = batch.clone();
            let start = Instant::now();
            step(batch);
            alone.push(start.elapsed());
        }

        let numbered: Vec<(u64, &Sample)> = (0..).zip(samples).collect();
        let batches = numbered.chunks(self.batch_size);
        let (mut steps, mut waits) = (Vec::new(), Vec::new());
        let mut ended = Instant::now();
        let prepare = |samples: &[Numbered]| Batch::augmented(samples, architecture, SEED, 1);
        each_prepared(batches, prepare, |batch| {
            waits.push(ended.elapsed());
            step(batch);
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
            batch_size: self.batch_size,
            steps: self.steps,
            step_ms: Quartiles::of(counted(&alone)),
            fit_step_ms: Quartiles::of(counted(&steps)),
            fit_images_per_s: (self.steps * self.batch_size) as f64 / whole.as_secs_f64(),
            waiting: waiting.as_secs_f64() / whole.as_secs_f64(),
        };
        timing.print(self.json);
        Ok(())
    }
}

impl Timing {
    fn print(&self, json: bool) {
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
