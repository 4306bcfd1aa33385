//! `klubok check`: examines data, network and learning before training.

use std::time::Instant;

use indicatif::ProgressBar;
use klubok::{
    check::{Experiment, Lab, check, steps::Steps},
    config::Preset,
    data::{self, OpenOptions},
    device,
};
use klubok_text::text;

use crate::{
    args,
    check_report::{self, CheckReport, Time},
    diagnosis,
    failure::{Failure, Result},
    loading, settings,
    terminal::{Screen, print_report, print_stdout},
};

/// Untimed steps: the first ones touch memory for the first time.
const WARM_UP: u64 = 3;

/// Runs the experiments and prints the findings; fails when a verdict reaches `--fail-on`.
pub(crate) fn run(args: &args::Check) -> Result<()> {
    let screen = Screen::new(args.flags.quiet);
    let written = settings::for_data(&args.settings, Preset::Balanced, &args.data, screen)?;
    let config = settings::resolve(&written.builder, screen)?.config;
    let backend = device::of(&config)?;
    let options = OpenOptions {
        val: args.parts.val.clone(),
        test: args.parts.test.clone(),
        strict: args.parts.strict,
        threads: config.train.threads,
        ..OpenOptions::new(config.data.clone())
    };
    let dataset = loading::open(&args.data, &options, screen)?;
    let pictures = data::picture_sizes(&args.data, &options)?;
    let bar = screen.bar(text!("check.timing"), Experiment::ALL.len() as u64 + 1);
    bar.tick();
    let lab = Lab::new(&config, &dataset, backend.as_ref())?;
    let mut steps = Steps::new(&lab)?;
    let time = time(&lab, &mut steps)?;
    let findings = check(&lab, &mut steps, &mut |experiment| begin(&bar, experiment))?;
    bar.finish_and_clear();
    let checked = CheckReport { pictures, time, findings };
    if args.flags.json {
        print_stdout(serde_json::to_string(&checked).map_err(Failure::failed)?)?;
    } else {
        let flags = settings::to_flags(&args.settings, &args.parts);
        print_report(&check_report::report(&args.data, &flags, &config, &dataset, &checked))?;
    }
    diagnosis::fail_on(args.fail_on, &checked.findings.verdicts)
}

/// Times training steps after a warm-up.
fn time(lab: &Lab<'_>, steps: &mut Steps) -> Result<Time> {
    for _ in 0..WARM_UP {
        steps.step()?;
    }
    let mut times = Vec::new();
    for _ in 0..steps.count_to_time(lab) {
        let begun = Instant::now();
        steps.step()?;
        times.push(begun.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let seconds = times[times.len() / 2];
    let steps_per_epoch = steps.per_epoch();
    Ok(Time {
        ms_per_step: 1000.0 * seconds,
        steps_per_epoch,
        seconds_per_epoch: seconds * steps_per_epoch as f64,
    })
}

fn begin(bar: &ProgressBar, experiment: Experiment) {
    bar.set_prefix(match experiment {
        Experiment::Data => text!("check.doing_data"),
        Experiment::InitialLoss => text!("check.doing_initial_loss"),
        Experiment::OneBatch => text!("check.doing_one_batch"),
        Experiment::Gradients => text!("check.doing_gradients"),
        Experiment::Baselines => text!("check.doing_baselines"),
        Experiment::Labels => text!("check.doing_labels"),
        Experiment::NoiseScale => text!("check.doing_noise"),
        Experiment::RangeTest => text!("check.doing_range_test"),
    });
    bar.inc(1);
}
