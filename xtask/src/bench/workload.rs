//! Workloads: the networks and batches of the comparison.

use std::{fmt, str::FromStr};

use anyhow::{Context, Result, bail};

/// Sizes of a network's input, hidden layers and output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layers(Vec<usize>);

impl FromStr for Layers {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let sizes: Result<Vec<usize>, _> = text.split('-').map(str::parse).collect();
        let sizes = sizes.with_context(|| format!("`{text}` must be sizes such as 784-256-10"))?;
        if sizes.len() < 2 || sizes.contains(&0) {
            bail!("`{text}` must be at least two sizes above 0, such as 784-256-10");
        }
        Ok(Self(sizes))
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&sizes.join("-"))
    }
}

impl Layers {
    /// Number of weights and biases.
    pub(crate) fn parameters(&self) -> usize {
        self.0.windows(2).map(|sizes| (sizes[0] + 1) * sizes[1]).sum()
    }

    /// Floating-point operations of a step, counted as in `klubok bench`: `6 params batch`, two
    /// each for forward pass, weight gradient and input gradient, less those of the first layer's
    /// input gradient, which is not needed.
    pub(crate) fn operations(&self, batch: usize) -> f64 {
        let first = self.0[0] * self.0[1];
        (6.0 * self.parameters() as f64 - 2.0 * first as f64) * batch as f64
    }
}

/// A network and a batch size.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    /// Name in tables.
    pub(crate) name: &'static str,
    /// The network.
    pub(crate) layers: Layers,
    /// Samples in a step.
    pub(crate) batch: usize,
}

const ALL: &[(&str, &[usize], usize)] = &[
    ("catdog", &[4096, 1024, 512, 256, 2], 128),
    ("mnist", &[784, 512, 512, 10], 128),
    ("table", &[54, 256, 256, 256, 7], 256),
    ("large", &[3072, 4096, 4096, 4096, 10], 512),
    ("tiny", &[784, 32, 10], 32),
    ("toy", &[2, 8, 8, 2], 32),
    ("odd", &[777, 513, 129, 3], 128),
];

/// The workloads with these names, all without names; `batch` replaces their batch size.
///
/// # Errors
/// When a name is unknown.
pub(crate) fn chosen(names: &[String], batch: Option<usize>) -> Result<Vec<Workload>> {
    let known: Vec<&str> = ALL.iter().map(|&(name, ..)| name).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no workload `{name}`, only {}", known.join(", "));
    }
    let is_chosen = |name: &str| names.is_empty() || names.iter().any(|chosen| chosen == name);
    let workloads = ALL.iter().filter(|&&(name, ..)| is_chosen(name)).map(|&(name, sizes, own)| {
        Workload { name, layers: Layers(sizes.to_vec()), batch: batch.unwrap_or(own) }
    });
    Ok(workloads.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_round_trip_and_wrong_ones_are_refused() {
        let layers: Layers = "784-32-10".parse().unwrap();
        assert_eq!(layers.to_string(), "784-32-10");
        for wrong in ["784", "", "784-0-10", "784-x", "784--10"] {
            wrong.parse::<Layers>().unwrap_err();
        }
    }

    #[test]
    fn operations_match_a_hand_count() {
        // 2·3 + 3 and 3·2 + 2 are 17 parameters; the first layer's 2·3 weights need no input
        // gradient.
        let layers = Layers(vec![2, 3, 2]);
        assert_eq!(layers.parameters(), 17);
        assert_eq!(layers.operations(10), (6.0 * 17.0 - 2.0 * 6.0) * 10.0);
    }

    #[test]
    fn workloads_are_selected_by_name_in_table_order() {
        let names = ["toy".to_owned(), "mnist".to_owned()];
        let chosen_two = chosen(&names, Some(7)).unwrap();
        let found: Vec<_> = chosen_two.iter().map(|w| (w.name, w.batch)).collect();
        assert_eq!(found, [("mnist", 7), ("toy", 7)]);
        assert_eq!(chosen(&[], None).unwrap().len(), ALL.len());
        let error = chosen(&["dogcat".to_owned()], None).unwrap_err().to_string();
        assert!(error.starts_with("there is no workload `dogcat`, only catdog, mnist"), "{error}");
    }
}
