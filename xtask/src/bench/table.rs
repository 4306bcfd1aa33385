//! The table in Markdown, and all timings as comma-separated values.

use std::fmt::Write;

use super::{
    floor::{Floor, Precision},
    probe::Probed,
    result::{Comparison, Row, Timing, median, ratio, spread},
};

/// Column names of [`line`] and [`floor_line`].
pub(crate) const COLUMNS: &str = "workload,layers,batch,round,contender,samples_per_second,ms_per_step,steps,loss,peak_mib,\
     noisy,register_gflops,matrix_gflops,update_gb_per_second\n";

/// A timing as a line of comma-separated values.
pub(crate) fn line(comparison: &Comparison, round: usize, name: &str, timing: &Timing) -> String {
    let m = timing.measured;
    let peak = timing.peak_mib.map(|mib| format!("{mib:.1}")).unwrap_or_default();
    format!(
        "{},{name},{:.1},{:.6},{},{:.6},{peak},{},,,\n",
        begin(comparison, round),
        m.samples_per_second,
        m.ms_per_step,
        m.steps,
        m.loss,
        u8::from(timing.noisy)
    )
}

/// A floor as a line of comma-separated values.
pub(crate) fn floor_line(comparison: &Comparison, round: usize, floor: &Probed<Floor>) -> String {
    let (noisy, floor) = (u8::from(floor.noisy), &floor.value);
    let rate = 1000.0 * comparison.workload.batch as f64 / floor.step_ms;
    format!(
        "{},floor {},{rate:.1},{:.6},,,,{noisy},{:.1},{:.1},{:.1}\n",
        begin(comparison, round),
        floor.precision.name(),
        floor.step_ms,
        floor.register_gflops,
        floor.matrix_gflops,
        floor.update_gb_per_second
    )
}

fn begin(comparison: &Comparison, round: usize) -> String {
    let workload = &comparison.workload;
    format!("{},{},{},{}", workload.name, workload.layers, workload.batch, round + 1)
}

/// The section on one workload.
pub(crate) fn section(comparison: &Comparison) -> String {
    let workload = &comparison.workload;
    let mut text = format!(
        "## `{}`: {}, batch {}\n\n\
         | contender | samples/s | spread | ms/step | / best f32 peer | / best peer | of floor | peak MiB | loss | steps |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        workload.name, workload.layers, workload.batch
    );
    for row in comparison.rows.iter().filter(|row| !row.timings.is_empty()) {
        text += &table_row(comparison, row);
    }
    text.push('\n');
    for precision in comparison.own_precisions() {
        let floors: Vec<&Floor> = comparison.floors_in(precision).collect();
        text += &floor_sentence(&floors);
    }
    for reason in &comparison.left_out {
        let _ = writeln!(text, "Left out: {reason}.");
    }
    let noisy: usize = comparison.rows.iter().map(Row::noisy).sum();
    if noisy > 0 {
        let _ = writeln!(text, "Kept although the machine was busy: {noisy} timings, marked `*`.");
    }
    if comparison.noisy_floors > 0 {
        let floors = comparison.noisy_floors;
        let _ = writeln!(text, "Floors measured although the machine was busy: {floors}.");
    }
    text
}

fn table_row(comparison: &Comparison, row: &Row) -> String {
    let rates = row.rates();
    let against = |peer: Option<&Row>| {
        peer.map_or("-".to_owned(), |peer| format!("{:.2}", ratio(&rates, &peer.rates())))
    };
    let (slowest, fastest) = spread(&rates);
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let cells = [
        format!("{}{}", row.contender.name, if row.noisy() > 0 { " *" } else { "" }),
        number(median(&rates)),
        format!("{}..{}", number(slowest), number(fastest)),
        format!("{:.3}", median(&row.values(|timing| timing.measured.ms_per_step))),
        against(comparison.best_peer(Some(Precision::F32))),
        against(comparison.best_peer(None)),
        comparison.share_of_floor(row).map_or("-".to_owned(), percent),
        row.peak_mib().map_or("-".to_owned(), |mib| format!("{mib:.0}")),
        format!("{:.4}", median(&row.values(|timing| timing.measured.loss))),
        number(median(&row.values(|timing| timing.measured.steps as f64))),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn floor_sentence(floors: &[&Floor]) -> String {
    let Some(&first) = floors.first() else { return String::new() };
    let of = |value: fn(&Floor) -> f64| {
        let values: Vec<f64> = floors.iter().map(|&floor| value(floor)).collect();
        median(&values)
    };
    format!(
        "Floor in {}: {:.3} ms = {:.3} ms of products at {:.0} GFLOP/s ({} kernel, tile {}; {:.0} in registers) + {:.3} ms \
         of updates at {:.0} GB/s.\n",
        first.precision.name(),
        of(|f| f.step_ms),
        of(|f| f.matrix_ms),
        of(|f| f.matrix_gflops),
        first.kernel,
        first.tile,
        of(|f| f.register_gflops),
        of(|f| f.update_ms),
        of(|f| f.update_gb_per_second)
    )
}

/// A whole number in groups of three digits.
fn number(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::result::tests::example;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [0.4, 999.0, 1000.0, 1_234_567.0].map(number),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn a_section_shows_ratios_floor_and_missing_contenders() {
        let text = section(&example());
        let klubok =
            "| klubok f32 | 300 | 200..400 | 120.000 | 3.00 | 2.50 | 75 % | 200 | 0.2500 | 10 |";
        assert!(text.contains(klubok), "{text}");
        let noisy = "| PyTorch compiled f32 * | 45 | 40..50 | 720.000 | 0.45 | 0.33 | - | 25 |";
        assert!(text.contains(noisy), "{text}");
        assert!(text.contains("Left out: klubok bf16: not yet.\n"));
        assert!(text.contains("Floor in f32: 80.000 ms = 60.000 ms of products at 90 GFLOP/s"));
        assert!(text.contains("busy: 1 timings, marked `*`.\n"), "{text}");
        assert!(text.ends_with("busy: 1.\n"), "{text}");
    }

    #[test]
    fn timing_and_floor_lines_have_all_columns() {
        let example = example();
        let timing = line(&example, 0, "JAX f32", &example.rows[0].timings[0]);
        let floor = Probed { value: example.floors[0].clone(), repeats: 10, noisy: true };
        let floor = floor_line(&example, 1, &floor);
        let columns = COLUMNS.split(',').count();
        assert_eq!([timing.split(',').count(), floor.split(',').count()], [columns; 2]);
        assert!(floor.starts_with("tiny,784-32-10,32,2,floor f32,400.0,80.000000,"), "{floor}");
    }
}
