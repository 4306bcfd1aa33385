//! The results of the rounds, and the figures for the table.

use super::{
    contender::Contender,
    floor::{Floor, Precision},
    timing::Measured,
    workload::Workload,
};

/// One timing of a contender.
#[derive(Debug, Clone)]
pub(crate) struct Timing {
    /// The contender's own measurement.
    pub(crate) measured: Measured,
    /// Peak of resident memory.
    pub(crate) peak_mib: Option<f64>,
    /// True if the machine was busy in every attempt.
    pub(crate) noisy: bool,
}

/// A contender's timings.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The contender.
    pub(crate) contender: Contender,
    /// One timing per round.
    pub(crate) timings: Vec<Timing>,
}

/// All results on one workload.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    /// The workload.
    pub(crate) workload: Workload,
    /// One row per contender, klubok first.
    pub(crate) rows: Vec<Row>,
    /// One floor per round and precision of klubok.
    pub(crate) floors: Vec<Floor>,
    /// Number of floors measured on a busy machine.
    pub(crate) noisy_floors: usize,
    /// Contenders left out, with the reason.
    pub(crate) left_out: Vec<String>,
}

impl Row {
    /// A value of each round.
    pub(crate) fn values(&self, value: impl Fn(&Timing) -> f64) -> Vec<f64> {
        self.timings.iter().map(value).collect()
    }

    /// Samples per second of each round.
    pub(crate) fn rates(&self) -> Vec<f64> {
        self.values(|timing| timing.measured.samples_per_second)
    }

    /// Peak memory over all rounds.
    pub(crate) fn peak_mib(&self) -> Option<f64> {
        self.timings.iter().filter_map(|timing| timing.peak_mib).reduce(f64::max)
    }

    /// Number of rounds on a busy machine.
    pub(crate) fn noisy(&self) -> usize {
        self.timings.iter().filter(|timing| timing.noisy).count()
    }
}

impl Comparison {
    /// The peer with the best median rate, of one precision or any.
    pub(crate) fn best_peer(&self, precision: Option<Precision>) -> Option<&Row> {
        let qualifies = |row: &&Row| {
            let is_peer = row.contender.peer.is_some();
            is_peer && precision.is_none_or(|precision| row.contender.precision == precision)
        };
        let rate = |row: &Row| median(&row.rates());
        self.rows.iter().filter(qualifies).max_by(|a, b| rate(a).total_cmp(&rate(b)))
    }

    /// Klubok's precisions in the comparison.
    pub(crate) fn own_precisions(&self) -> Vec<Precision> {
        let own = self.rows.iter().filter(|row| row.contender.peer.is_none());
        own.map(|row| row.contender.precision).collect()
    }

    /// The floors of one precision, one per round.
    pub(crate) fn floors_in(&self, precision: Precision) -> impl Iterator<Item = &Floor> {
        self.floors.iter().filter(move |floor| floor.precision == precision)
    }

    /// Klubok's rate as a share of the floor's; none for peers.
    pub(crate) fn share_of_floor(&self, row: &Row) -> Option<f64> {
        let own = row.contender.peer.is_none();
        let floors = self.floors_in(row.contender.precision);
        let floors: Vec<f64> = floors.map(|floor| floor.step_ms).collect();
        let times = row.values(|timing| timing.measured.ms_per_step);
        (own && !floors.is_empty()).then(|| ratio(&floors, &times))
    }
}

/// The median.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// The median of the rounds' ratios: influences common to a round cancel.
pub(crate) fn ratio(values: &[f64], of: &[f64]) -> f64 {
    let ratios: Vec<f64> = values.iter().zip(of).map(|(value, of)| value / of).collect();
    median(&ratios)
}

/// The smallest and the largest value.
pub(crate) fn spread(values: &[f64]) -> (f64, f64) {
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    (smallest, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bench::{
        contender::{Task, all},
        library::Library,
        workload::chosen,
    };

    /// Klubok at 200 and 400 samples per second, eager `PyTorch` in f32 at 100 and 100, in bf16 at
    /// 200 and 100.
    pub(crate) fn example() -> Comparison {
        let rates = [[200.0, 400.0], [100.0, 100.0], [50.0, 40.0], [200.0, 100.0], [10.0, 10.0]];
        let timing = |rate: f64| Timing {
            measured: Measured {
                samples_per_second: rate,
                ms_per_step: 32e3 / rate,
                steps: 10,
                loss: 0.25,
            },
            peak_mib: Some(rate / 2.0),
            noisy: rate == 40.0,
        };
        let contenders =
            all(Task::Train, &[Precision::F32], &[Library::Torch]).into_iter().zip(rates);
        let rows = contenders
            .map(|(contender, rates)| Row { contender, timings: rates.map(timing).to_vec() });
        let floor = Floor {
            precision: Precision::F32,
            kernel: "avx2".into(),
            tile: "64x48x128".into(),
            register_gflops: 100.0,
            matrix_gflops: 90.0,
            matrix_ms: 60.0,
            update_gb_per_second: 20.0,
            update_ms: 20.0,
            step_ms: 80.0,
        };
        Comparison {
            workload: chosen(&["tiny".to_owned()], None).unwrap().remove(0),
            rows: rows.collect(),
            floors: vec![floor.clone(), floor],
            noisy_floors: 1,
            left_out: vec!["klubok bf16: not yet".into()],
        }
    }

    #[test]
    fn medians_ratios_and_spreads_match_hand_calculations() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        // Not the ratio of the medians, 2 / 10.
        assert_eq!(ratio(&[1.0, 2.0, 30.0], &[10.0, 1.0, 10.0]), 2.0);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), (1.0, 3.0));
    }

    #[test]
    fn the_best_peer_is_never_klubok() {
        let example = example();
        let name = |precision| example.best_peer(precision).unwrap().contender.name.clone();
        assert_eq!(name(Some(Precision::F32)), "PyTorch eager f32");
        assert_eq!(name(None), "PyTorch eager bf16");
    }

    #[test]
    fn only_klubok_has_a_share_of_the_floor() {
        let example = example();
        // 80 ms of 160 ms and of 80 ms.
        assert_eq!(example.share_of_floor(&example.rows[0]), Some(0.75));
        assert_eq!(example.share_of_floor(&example.rows[1]), None);
    }

    #[test]
    fn a_row_counts_noisy_rounds_and_takes_peak_memory() {
        let row = &example().rows[2];
        assert_eq!((row.noisy(), row.peak_mib()), (1, Some(25.0)));
    }
}
