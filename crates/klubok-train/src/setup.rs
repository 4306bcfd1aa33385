//! From settings to the parts of a training: network, loss, update rule, initialisation and
//! learning-rate schedule.

use klubok_nn::{
    network::{Hidden, Network, Start},
    optim::{
        Rule, UpdateSpec,
        schedule::{Curve, LearningRate},
    },
    plan::{Augment, LossKind, LossSpec},
};

use crate::config::{ClassWeights, Config, Loss, Optimizer, Schedule, TrainConfig};

impl Config {
    /// Builds the network for data with this many input values and classes.
    pub fn network(&self, inputs: usize, outputs: usize) -> Network {
        let model = &self.model;
        let hidden = model.hidden.iter().enumerate().map(|(i, &units)| Hidden {
            units,
            activation: model.activation.get(i),
            batch_norm: model.batch_norm,
            dropout: model.dropout.get(i) as f32,
        });
        Network {
            inputs,
            input_dropout: model.input_dropout as f32,
            hidden: hidden.collect(),
            outputs,
            answer: self.train.loss.target().outputs(),
        }
    }

    /// Builds the update rule with its penalties and limits.
    pub fn update_spec(&self) -> UpdateSpec {
        let (train, regularization) = (&self.train, &self.regularization);
        let TrainConfig { momentum, nesterov, beta1, beta2, epsilon, .. } = *train;
        let limit = |norm: f64| (norm > 0.0).then_some(norm);
        UpdateSpec {
            rule: match train.optimizer {
                Optimizer::Sgd => Rule::Sgd { momentum, nesterov },
                Optimizer::Rmsprop => Rule::RmsProp { decay: beta2, epsilon, momentum },
                Optimizer::Adam | Optimizer::Adamw => Rule::Adam { beta1, beta2, epsilon },
            },
            l1: regularization.l1,
            l2: regularization.l2,
            weight_decay: regularization.weight_decay,
            max_norm: limit(regularization.max_norm),
            clip_norm: limit(train.clip_norm),
        }
    }

    /// Builds the loss; `class_counts` is the number of training samples of each class. Class
    /// weights and label smoothing apply to classes only.
    ///
    /// Balanced weights are `samples / (classes * samples of the class)`, as scikit-learn's
    /// `compute_class_weight` (`sklearn.utils.class_weight`); a class without samples weighs 0.
    pub fn loss_spec(&self, class_counts: &[u64]) -> LossSpec {
        let samples: u64 = class_counts.iter().sum();
        let balanced = |&count: &u64| match count {
            0 => 0.0,
            _ => samples as f64 / (class_counts.len() as f64 * count as f64),
        };
        let kind = match self.train.loss {
            Loss::CrossEntropy => LossKind::CrossEntropy,
            Loss::BinaryCrossEntropy => LossKind::BinaryCrossEntropy,
            Loss::Mse => LossKind::MeanSquared,
            Loss::Huber => LossKind::Huber { delta: self.train.huber_delta },
        };
        if self.train.loss != Loss::CrossEntropy {
            return LossSpec { kind, ..LossSpec::CROSS_ENTROPY };
        }
        LossSpec {
            kind,
            class_weights: match self.train.class_weights {
                ClassWeights::None => Vec::new(),
                ClassWeights::Balanced => class_counts.iter().map(balanced).collect(),
            },
            label_smoothing: self.regularization.label_smoothing,
        }
    }

    /// Returns the augmentation of pictures in training.
    pub fn augment(&self) -> Augment {
        Augment { flip: self.augment.flip, shift: self.augment.shift }
    }

    /// Returns the initialisation; `class_counts` is the number of training samples of each class
    /// or label, `samples` that of all.
    ///
    /// Prior biases are `ln(share of the class)`, which the softmax turns back into the shares, or
    /// `ln(share / (1 - share))` of a label for the sigmoid. A class or label without samples
    /// counts as having one, so that its bias is finite. Standardised numbers have the mean 0
    /// already.
    pub fn start(&self, class_counts: &[u64], samples: u64) -> Start {
        let counts: Vec<f64> = class_counts.iter().map(|&count| count.max(1) as f64).collect();
        let all: f64 = counts.iter().sum();
        let prior = |count: &f64| match self.train.loss {
            Loss::CrossEntropy => (count / all).ln() as f32,
            Loss::BinaryCrossEntropy => (count / (samples as f64 - count).max(1.0)).ln() as f32,
            Loss::Mse | Loss::Huber => 0.0,
        };
        Start {
            hidden: self.model.init,
            output: self.model.output_init,
            output_bias: if self.model.prior_bias {
                counts.iter().map(prior).collect()
            } else {
                Vec::new()
            },
        }
    }
}

impl TrainConfig {
    /// Builds the learning-rate schedule for epochs of `steps_per_epoch` updates.
    pub fn rate(&self, steps_per_epoch: u64) -> LearningRate {
        let epoch = steps_per_epoch as f64;
        let (factor, every) = (self.decay, epoch * self.decay_epochs);
        let curve = match self.schedule {
            // On a plateau the loss reduces the rate, see `Progress`.
            Schedule::Constant | Schedule::Plateau => Curve::Constant,
            Schedule::Step => Curve::Step { factor, every },
            Schedule::Exponential => Curve::Exponential { factor, every: epoch },
            Schedule::Cosine => Curve::Cosine { cycles: self.restarts + 1 },
            Schedule::OneCycle => Curve::OneCycle,
        };
        let own_warmup = curve == Curve::OneCycle;
        LearningRate {
            highest: self.learning_rate,
            curve,
            warmup: if own_warmup { 0.0 } else { self.warmup_epochs * epoch },
            total: self.epochs as f64 * epoch,
        }
    }
}

#[cfg(test)]
mod tests {
    use klubok_nn::plan::Activation;

    use super::*;
    use crate::config::{ConfigBuilder, DataKind, Init, Machine, Preset};

    fn config(preset: Preset, sets: &[&str]) -> Config {
        let mut builder = ConfigBuilder::new(preset, DataKind::Pictures);
        for set in sets {
            builder.assign(set).unwrap();
        }
        builder.resolve(&Machine::plain(1)).unwrap().config
    }

    #[test]
    fn the_article_preset_gives_the_articles_network() {
        let config = config(Preset::Article, &[]);
        let network = config.network(4096, 2);
        let units: Vec<usize> = network.hidden.iter().map(|layer| layer.units).collect();
        assert_eq!((network.inputs, units, network.outputs), (4096, vec![512, 256, 128], 2));
        assert_eq!(network.parameters(), 2_262_146);
        assert!(network.hidden.iter().all(|l| l.activation == Activation::Relu && !l.batch_norm));
        assert_eq!(config.update_spec().rule, Rule::Sgd { momentum: 0.9, nesterov: false });
        let start = Start { hidden: Init::He, output: Init::He, output_bias: vec![] };
        assert_eq!(config.start(&[10, 10], 20), start);
    }

    #[test]
    fn lists_set_each_layer_separately() {
        let sets = ["model.hidden=8,4", "model.dropout=0.5,0", "model.activation=tanh,gelu"];
        let network = config(Preset::Plain, &sets).network(3, 2);
        assert_eq!((network.hidden[0].dropout, network.hidden[1].dropout), (0.5, 0.0));
        assert_eq!(network.hidden[1].activation, Activation::Gelu);
    }

    #[test]
    fn every_optimizer_gets_its_rule_and_a_limit_of_zero_is_none() {
        let spec = |sets: &[&str]| config(Preset::Plain, sets).update_spec();
        let adam = Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
        assert_eq!(spec(&[]).rule, adam);
        assert_eq!(spec(&["train.optimizer=adam"]).rule, adam);
        let rms = Rule::RmsProp { decay: 0.99, epsilon: 1e-8, momentum: 0.0 };
        assert_eq!(spec(&["train.optimizer=rmsprop"]).rule, rms);
        assert_eq!((spec(&[]).max_norm, spec(&[]).clip_norm), (None, None));
        let limited = spec(&["regularization.max_norm=3", "train.clip_norm=1"]);
        assert_eq!((limited.max_norm, limited.clip_norm), (Some(3.0), Some(1.0)));
    }

    #[test]
    fn balanced_class_weights_match_scikit_learn() {
        let config = config(Preset::Plain, &["train.class_weights=balanced"]);
        // compute_class_weight("balanced", classes=[0, 1, 2], y=[0] * 6 + [1] * 3 + [2]).
        let weights = config.loss_spec(&[6, 3, 1]).class_weights;
        assert_eq!(weights, [10.0 / 18.0, 10.0 / 9.0, 10.0 / 3.0]);
        assert_eq!(config.loss_spec(&[4, 0]).class_weights, [0.5, 0.0]);
    }

    #[test]
    fn prior_biases_are_finite_logs_of_the_class_shares() {
        let config = config(Preset::Plain, &["model.prior_bias=true"]);
        let bias = config.start(&[30, 10], 40).output_bias;
        assert_eq!(bias, [0.75f32.ln(), 0.25f32.ln()]);
        assert!(config.start(&[30, 0], 30).output_bias.iter().all(|b| b.is_finite()));
    }
}
