//! The tags of the figures: `train/loss`, `validation/accuracy`, `layers/hidden1/update_ratio`.

use super::message::{HistogramProto, Value};
use crate::{
    histogram::Histogram,
    metrics::{LayerMetrics, Metrics},
};

/// Returns the figures of a line of a log; those that do not apply are left out. Tags begin with
/// `prefix`.
pub(super) fn scalars(prefix: &str, metrics: &Metrics) -> Vec<Value> {
    let own = [
        ("epoch", Some(metrics.epoch)),
        ("train/loss", metrics.train_loss),
        ("train/eval_loss", metrics.train_eval_loss),
        ("train/accuracy", metrics.train_accuracy),
        ("train/learning_rate", metrics.learning_rate),
        ("train/grad_norm", metrics.grad_norm),
        ("train/prediction_spread", metrics.prediction_spread),
        ("validation/loss", metrics.val_loss),
        ("validation/loss_calibrated", metrics.val_loss_calibrated),
        ("validation/temperature", metrics.temperature),
        ("validation/accuracy", metrics.val_accuracy),
        ("validation/rmse", metrics.val_rmse),
        ("validation/r2", metrics.val_r2),
        ("time/epoch_seconds", Some(metrics.seconds)),
        ("time/samples_per_second", metrics.samples_per_second),
    ];
    let own = own.into_iter().map(|(name, figure)| (name.to_owned(), figure));
    let all = own.chain(metrics.layers.iter().flat_map(of_layer));
    all.filter_map(|(name, figure)| {
        let (tag, number) = (format!("{prefix}{name}"), Some(figure? as f32));
        Some(Value { tag, number, ..Value::default() })
    })
    .collect()
}

/// Returns the histograms of the layers' weights that were made at this point.
pub(super) fn histograms(layers: &[LayerMetrics]) -> Vec<Value> {
    let value = |layer: &LayerMetrics| {
        let histogram = Some(Box::new(message(layer.histogram.as_deref()?)));
        Some(Value { tag: tag(layer, "weights"), histogram, ..Value::default() })
    };
    layers.iter().filter_map(value).collect()
}

/// Returns the tag of something in a layer.
pub(super) fn tag(layer: &LayerMetrics, name: &str) -> String {
    format!("layers/{}/{name}", layer.name)
}

fn of_layer(layer: &LayerMetrics) -> [(String, Option<f64>); 8] {
    [
        ("grad_norm", layer.grad_norm),
        ("weight_norm", Some(layer.weight_norm)),
        ("update_ratio", layer.update_ratio),
        ("active_fraction", layer.active_fraction),
        ("silent_fraction", layer.silent_fraction),
        ("dead_fraction", layer.dead_fraction),
        ("saturated_fraction", layer.saturated_fraction),
        ("distance_from_start", layer.distance_from_start),
    ]
    .map(|(name, figure)| (tag(layer, name), figure))
}

fn message(of: &Histogram) -> HistogramProto {
    HistogramProto {
        min: of.min,
        max: of.max,
        count: of.counts.iter().map(|&count| f64::from(count)).sum(),
        sum: of.sum,
        sum_squares: of.sum_squares,
        edges: of.edges().collect(),
        counts: of.counts.iter().map(|&count| f64::from(count)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_the_log_has_a_tag() {
        let every = Some(0.5);
        let layer = LayerMetrics {
            name: "hidden1".into(),
            grad_norm: every,
            weight_norm: 0.5,
            update_ratio: every,
            active_fraction: every,
            silent_fraction: every,
            dead_fraction: every,
            saturated_fraction: every,
            distance_from_start: every,
            histogram: None,
        };
        let metrics = Metrics {
            epoch: 0.5,
            step: 3,
            train_loss: every,
            train_eval_loss: every,
            val_loss: every,
            val_loss_calibrated: every,
            temperature: every,
            train_accuracy: every,
            val_accuracy: every,
            val_rmse: every,
            val_r2: every,
            learning_rate: every,
            grad_norm: every,
            prediction_spread: every,
            seconds: 0.5,
            elapsed_seconds: 0.5,
            samples_per_second: every,
            layers: vec![layer],
        };
        let line = serde_json::to_value(&metrics).unwrap();
        let layer = line["layers"][0].as_object().unwrap();
        let values = scalars("", &metrics);
        // The step stands beside the values, the time of writing does for the seconds so far.
        let others = ["step", "elapsed_seconds", "layers"].len();
        assert_eq!(values.len(), line.as_object().unwrap().len() - others + layer.len() - 1);
        assert!(values.iter().all(|value| value.number == Some(0.5)));
        let mut tags: Vec<&str> = values.iter().map(|value| value.tag.as_str()).collect();
        assert!(tags.contains(&"layers/hidden1/update_ratio"), "{tags:?}");
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), values.len());
        assert_eq!(scalars("x/", &Metrics::default())[0].tag, "x/epoch");
    }
}
