//! Summarises the network: outputs and parameters of each layer, and an estimate of the memory for
//! training.

use klubok_nn::{
    plan::{Op, Plan},
    rows::FieldSpec,
};
use serde::Serialize;

use super::Lab;

/// Extra copies of the parameters beside those in training, at most: the best weights, and
/// temporary copies of the start or of weights being measured and saved.
const EXTRA_COPIES: usize = 3;

/// The structure of the network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetworkSummary {
    /// Input values.
    pub inputs: usize,
    /// The layers, from the first hidden one to the output.
    pub layers: Vec<Layer>,
    /// Trained parameters in total.
    pub parameters: usize,
    /// Training samples per parameter.
    pub samples_per_parameter: f64,
    /// Estimated bytes for training, without the data.
    pub memory_bytes: f64,
    /// Bytes of the data in memory.
    pub data_bytes: f64,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// `hidden1`, ..., `output`.
    pub name: String,
    /// Output values.
    pub outputs: usize,
    /// Trained parameters.
    pub parameters: usize,
}

impl NetworkSummary {
    /// Summarises the lab's network.
    pub fn new(lab: &Lab<'_>) -> Self {
        let plan = &lab.task.plan;
        let batch = lab.config.train.batch_size.min(lab.data.parts.train.len());
        let row: usize = lab.data.rows.fields().iter().map(FieldSpec::bytes).sum();
        let parameters = plan.parameters();
        Self {
            inputs: lab.task.network.inputs,
            layers: layers(plan),
            parameters,
            samples_per_parameter: lab.data.parts.train.len() as f64 / parameters as f64,
            memory_bytes: memory(plan, batch),
            data_bytes: (lab.data.rows.len() * row) as f64,
        }
    }
}

fn layers(plan: &Plan) -> Vec<Layer> {
    let layer = |(i, name): (usize, &String)| {
        let params = plan.params.iter().filter(|param| param.layer == i);
        let weight = params.clone().find(|param| param.shape.len() == 2);
        Layer {
            name: name.clone(),
            outputs: weight.map_or(0, |weight| weight.shape[0]),
            parameters: params.map(klubok_nn::plan::ParamSpec::len).sum(),
        }
    };
    plan.layers.iter().enumerate().map(layer).collect()
}

/// Bytes of parameters, moments and the values of a batch, which have two layouts and gradients.
fn memory(plan: &Plan, batch: usize) -> f64 {
    let copies = EXTRA_COPIES + 1 + plan.update.rule.moments().len();
    let kept = plan.ops.iter().filter(|op| matches!(op, Op::Input { .. } | Op::Linear { .. }));
    let values: usize = kept.map(|op| plan.widths[op.writes().0]).sum();
    4.0 * (copies as f64 * plan.parameters() as f64 + 5.0 * (batch * values) as f64)
}

#[cfg(test)]
mod tests {
    use klubok_nn::plan::{Augment, InputSpec};
    use klubok_train::config::{ConfigBuilder, DataKind, Machine, Preset};

    use super::*;

    #[test]
    fn summary_of_the_articles_network_by_hand() {
        let config =
            ConfigBuilder::new(Preset::Article, DataKind::Pictures).resolve(&Machine::plain(1));
        let config = config.unwrap().config;
        let prepare = InputSpec {
            factor: vec![],
            offset: vec![],
            picture: None,
            augment: Augment::default(),
        };
        let (loss, update) = (config.loss_spec(&[1, 1]), config.update_spec());
        let plan = config.network(4096, 2).lower(prepare, loss, update, 0);
        let layer =
            |name: &str, outputs, parameters| Layer { name: name.into(), outputs, parameters };
        let expected = [
            layer("hidden1", 512, 4096 * 512 + 512),
            layer("hidden2", 256, 512 * 256 + 256),
            layer("hidden3", 128, 256 * 128 + 128),
            layer("output", 2, 128 * 2 + 2),
        ];
        assert_eq!(layers(&plan), expected);
        // Weights, velocity and three copies; the input and four layers of a batch of 10, five
        // times; 4 bytes each.
        let values = 5 * 10 * (4096 + 512 + 256 + 128 + 2);
        assert_eq!(memory(&plan, 10), f64::from(4 * (5 * 2_262_146 + values)));
    }
}
