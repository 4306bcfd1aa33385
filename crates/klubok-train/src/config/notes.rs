//! Notes on settings that have no effect, or seldom the intended one.

use std::{collections::BTreeMap, fmt};

use super::{
    ClassWeights, Config, DataKind, Init, Loss, Machine, Optimizer, Origin, Schedule, TargetKind,
    setting::Setting,
};

/// A remark on a setting, for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The user set the key, but nothing reads it.
    Unused {
        /// The key.
        key: &'static str,
        /// Why nothing reads it.
        because: &'static str,
    },
    /// The value has an effect that is seldom wanted.
    Doubtful {
        /// The key.
        key: &'static str,
        /// The effect.
        because: &'static str,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Unused { key, because } => write!(f, "`{key}` has no effect: {because}"),
            Note::Doubtful { key, because } => write!(f, "`{key}`: {because}"),
        }
    }
}

/// Lists notes on the settings from files and flags. A value equal to its default gets none,
/// because a run's own `config.toml` sets every key.
pub(super) fn notes(
    config: &Config,
    settings: &BTreeMap<&'static str, Setting>,
    kind: DataKind,
) -> Vec<Note> {
    let defaults = {
        let same = ["train.optimizer", "train.schedule", "train.epochs"];
        let same = same.iter().filter_map(|key| settings.get_key_value(key));
        let same = same.map(|(key, setting)| (*key, setting.clone())).collect();
        let machine = Machine::plain(config.train.threads);
        let task = config.data.task;
        toml::Table::try_from(super::resolve::config(&same, kind, task, &machine))
    };
    let actual = toml::Table::try_from(config);
    let (Ok(defaults), Ok(actual)) = (defaults, actual) else { return Vec::new() };
    let is_set = |key: &str| {
        let (section, name) = key.split_once('.').unwrap_or_default();
        settings.get(key).is_some_and(|s| !matches!(s.origin, Origin::Preset(_)))
            && actual[section].get(name) != defaults[section].get(name)
    };
    let unused = unused(config, kind).into_iter().filter(|(key, _)| is_set(key));
    let mut notes: Vec<Note> = unused.map(|(key, because)| Note::Unused { key, because }).collect();
    notes.extend(doubtful(config));
    notes
}

/// Lists the keys that have no effect under these settings, each with the reason.
fn unused(config: &Config, kind: DataKind) -> Vec<(&'static str, &'static str)> {
    let train = &config.train;
    let (adam, sgd) = match train.optimizer {
        Optimizer::Sgd => (false, true),
        Optimizer::Rmsprop => (false, false),
        Optimizer::Adam | Optimizer::Adamw => (true, false),
    };
    let (decays, decays_at_times) = match train.schedule {
        Schedule::Step | Schedule::Plateau => (true, true),
        Schedule::Exponential => (true, false),
        Schedule::Constant | Schedule::Cosine | Schedule::OneCycle => (false, false),
    };
    let pictures = matches!(kind, DataKind::Pictures | DataKind::Idx);
    let table = kind == DataKind::Table;
    let classes = config.data.task == TargetKind::Class;
    [
        (!adam, "train.momentum", "`train.optimizer` is neither sgd nor rmsprop"),
        (sgd, "train.nesterov", "`train.optimizer` is not sgd"),
        (adam, "train.beta1", "`train.optimizer` is neither adam nor adamw"),
        (!sgd, "train.beta2", "`train.optimizer` is sgd"),
        (!sgd, "train.epsilon", "`train.optimizer` is sgd"),
        (decays, "train.decay", "`train.schedule` is none of step, exponential, plateau"),
        (decays_at_times, "train.decay_epochs", "`train.schedule` is neither step nor plateau"),
        (train.schedule == Schedule::Cosine, "train.restarts", "`train.schedule` is not cosine"),
        (train.early_stopping, "train.patience", "`train.early_stopping` is false"),
        (pictures, "data.size", "the data are no pictures"),
        (pictures, "data.color", "the data are no pictures"),
        (pictures, "data.fit", "the data are no pictures"),
        (table, "data.target", "the data are no table"),
        (table, "data.weight", "the data are no table"),
        (train.loss == Loss::Huber, "train.huber_delta", "`train.loss` is not huber"),
        (classes, "train.class_weights", "the target is not classes"),
        (classes, "regularization.label_smoothing", "the target is not classes"),
        (config.data.task != TargetKind::Number, "model.prior_bias", "the target is numbers"),
        (pictures, "augment.flip", "the data are no pictures"),
        (pictures, "augment.shift", "the data are no pictures"),
    ]
    .into_iter()
    .filter(|(used, ..)| !used)
    .map(|(_, key, because)| (key, because))
    .collect()
}

fn doubtful(config: &Config) -> Vec<Note> {
    let Config { data, model, train, regularization, .. } = config;
    let mut notes = Vec::new();
    let mut note = |key, because| notes.push(Note::Doubtful { key, because });
    if !data.normalize {
        note("data.normalize", "starting weights and learning rates count on normalised inputs");
    }
    if model.init == Init::Zeros && !model.hidden.is_empty() {
        note(
            "model.init",
            "all units of a layer that starts at zero stay equal, they learn nothing",
        );
    }
    if model.prior_bias && train.class_weights == ClassWeights::Balanced {
        note(
            "model.prior_bias",
            "balanced class weights make classes even, the shares do not apply",
        );
    }
    if train.decay == 1.0
        && matches!(train.schedule, Schedule::Step | Schedule::Exponential | Schedule::Plateau)
    {
        note("train.decay", "a factor of 1 never changes the learning rate");
    }
    if regularization.l2 > 0.0 && regularization.weight_decay > 0.0 {
        note("regularization.l2", "`regularization.weight_decay` shrinks the weights as well");
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ConfigBuilder, Machine, Preset},
        *,
    };

    fn notes_of(preset: Preset, kind: DataKind, sets: &[&str]) -> Vec<String> {
        let mut builder = ConfigBuilder::new(preset, kind);
        for set in sets {
            builder.assign(set).unwrap();
        }
        builder.resolve(&Machine::plain(1)).unwrap().notes.iter().map(Note::to_string).collect()
    }

    #[test]
    fn notes_name_settings_without_effect() {
        let notes = notes_of(
            Preset::Plain,
            DataKind::Points,
            &[
                "train.momentum=0.5",
                "train.restarts=2",
                "train.schedule=constant",
                "augment.flip=true",
            ],
        );
        assert_eq!(
            notes,
            [
                "`train.momentum` has no effect: `train.optimizer` is neither sgd nor rmsprop",
                "`train.restarts` has no effect: `train.schedule` is not cosine",
                "`augment.flip` has no effect: the data are no pictures",
            ]
        );
    }

    #[test]
    fn zero_initialisation_gets_a_note() {
        let notes = notes_of(Preset::Plain, DataKind::Pictures, &["model.init=zeros"]);
        assert_eq!(notes.len(), 1);
        assert!(notes[0].starts_with("`model.init`"), "{notes:?}");
    }

    #[test]
    fn presets_and_complete_files_give_no_notes() {
        for preset in [Preset::Balanced, Preset::Article, Preset::Plain] {
            for kind in [DataKind::Pictures, DataKind::Idx, DataKind::Points] {
                assert_eq!(notes_of(preset, kind, &[]), [""; 0]);
                let config =
                    ConfigBuilder::new(preset, kind).resolve(&Machine::plain(3)).unwrap().config;
                let mut again = ConfigBuilder::new(Preset::Plain, kind);
                again.text(&config.to_toml(), "config.toml").unwrap();
                assert_eq!(again.resolve(&Machine::plain(1)).unwrap().notes, []);
            }
        }
    }
}
