//! From a builder to a [`Config`]: resolves every `"auto"`, and refuses settings that conflict.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    Config, ConfigError, DataKind, KEYS, Kernel, Layout, Loss, Machine, Monitor, OneOrEach,
    Optimizer, Precision, Schedule, TargetKind, setting::Setting,
};

type Values = BTreeMap<&'static str, Value>;

/// Applies the settings over the defaults and makes all of them concrete.
pub(super) fn config(
    settings: &BTreeMap<&'static str, Setting>,
    kind: DataKind,
    task: TargetKind,
    machine: &Machine,
) -> Config {
    let written = |path| settings.get(path).map(|setting| setting.value.clone());
    let mut values: Values = KEYS
        .iter()
        .map(|key| (key.path, written(key.path).unwrap_or_else(|| key.default_value())))
        .collect();
    // The loss follows from the task.
    let task = TargetKind::deserialize(values["data.task"].clone()).unwrap_or(task);
    let automatic: Values = values
        .iter()
        .filter_map(|(path, value)| {
            Some((*path, automatic(path, value, &values, (kind, task), machine)?))
        })
        .collect();
    values.extend(automatic);
    nested(values)
}

/// Resolves a key that is `"auto"`. Its value depends only on the kind and target of the data, and
/// on keys that cannot be `"auto"`.
fn automatic(
    path: &str,
    value: &Value,
    values: &Values,
    (kind, task): (DataKind, TargetKind),
    machine: &Machine,
) -> Option<Value> {
    let threads = Value::Integer(machine.cores.max(1) as i64);
    if path == "train.threads" && value.as_integer() == Some(0) {
        return Some(threads);
    }
    if value.as_str() != Some("auto") {
        return None;
    }
    let optimizer = Optimizer::deserialize(values["train.optimizer"].clone()).ok()?;
    let schedule = Schedule::deserialize(values["train.schedule"].clone()).ok()?;
    let epochs = values["train.epochs"].as_integer().unwrap_or(1) as f64;
    let number = match path {
        "train.threads" => return Some(threads),
        "data.task" => return Value::try_from(task).ok(),
        "train.loss" => return Value::try_from(Loss::usual(task)).ok(),
        "data.layout" => return Value::try_from(Layout::default()).ok(),
        "train.precision" => return Value::try_from(precision(values, machine)).ok(),
        "train.kernel" => return Value::try_from(kernel(values, machine)).ok(),
        "data.val_fraction" if kind == DataKind::Idx => 0.1,
        "data.val_fraction" => 0.2,
        "train.learning_rate" => match optimizer {
            Optimizer::Sgd => 0.01,
            Optimizer::Rmsprop | Optimizer::Adam | Optimizer::Adamw => 0.001,
        },
        "train.momentum" => match optimizer {
            Optimizer::Sgd => 0.9,
            Optimizer::Rmsprop | Optimizer::Adam | Optimizer::Adamw => 0.0,
        },
        "train.beta2" => match optimizer {
            Optimizer::Rmsprop => 0.99,
            Optimizer::Sgd | Optimizer::Adam | Optimizer::Adamw => 0.999,
        },
        "train.warmup_epochs" if schedule == Schedule::OneCycle => 0.0,
        "train.warmup_epochs" => epochs / 20.0,
        "train.decay" if schedule == Schedule::Exponential => 0.95,
        "train.decay" => 0.1,
        "train.decay_epochs" if schedule == Schedule::Plateau => 5.0,
        "train.decay_epochs" => (epochs / 3.0).ceil(),
        _ => return None,
    };
    Some(Value::Float(number))
}

/// Picks the fastest precision of the chosen kernel or, if that is open, of the machine.
fn precision(values: &Values, machine: &Machine) -> Precision {
    let chosen = Kernel::deserialize(values["train.kernel"].clone()).ok();
    let kernel = chosen.or_else(|| machine.kernels.first().copied()).unwrap_or_default();
    if kernel.is_for_bf16() { Precision::Bf16 } else { Precision::F32 }
}

/// Picks the machine's fastest kernel for the precision.
fn kernel(values: &Values, machine: &Machine) -> Kernel {
    let chosen = Precision::deserialize(values["train.precision"].clone());
    let wide = chosen.unwrap_or_else(|_| precision(values, machine)) == Precision::F32;
    let fits = |kernel: &&Kernel| !(wide && kernel.is_for_bf16());
    machine.kernels.iter().find(fits).copied().unwrap_or_default()
}

fn nested(values: Values) -> Config {
    let mut table = Table::new();
    for (path, value) in values {
        let (section, name) = path.split_once('.').unwrap_or(("", path));
        let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(section) = section {
            section.insert(name.into(), value);
        }
    }
    Config::deserialize(Value::Table(table)).expect("a test holds the keys to the structs")
}

/// Refuses values that are valid by themselves but conflict.
pub(super) fn check(
    config: &Config,
    kind: DataKind,
    target: Option<TargetKind>,
) -> Result<(), ConfigError> {
    let Config { data, model, train, augment, .. } = config;
    check_target(config, target)?;
    let layers = model.hidden.len();
    let lists =
        [("model.activation", each(&model.activation)), ("model.dropout", each(&model.dropout))];
    for (key, given) in lists {
        if let Some(given) = given.filter(|given| *given != layers) {
            return Err(ConfigError::Conflict {
                key,
                value: format!("a list of {given}"),
                why: format!(
                    "`model.hidden` has {layers} layers: give one value, or a list of {layers}"
                ),
            });
        }
    }
    let conflict = |key, value: &dyn ToString, why: String| {
        Err(ConfigError::Conflict { key, value: value.to_string(), why })
    };
    if train.kernel.is_for_bf16() && train.precision == Precision::F32 {
        let why =
            "it multiplies bf16, and `train.precision` is f32: set that to bf16, or this to auto"
                .into();
        return conflict("train.kernel", &train.kernel.name(), why);
    }
    if model.batch_norm && train.batch_size == 1 {
        let why = "batch normalisation needs batches of at least 2".into();
        return conflict("train.batch_size", &train.batch_size, why);
    }
    if train.optimizer == Optimizer::Sgd && train.nesterov && train.momentum == 0.0 {
        let why = "`train.momentum` is 0: Nesterov's variant needs momentum, such as 0.9".into();
        return conflict("train.nesterov", &train.nesterov, why);
    }
    if train.warmup_epochs > train.epochs as f64 {
        let why = format!("there are {} epochs in all: it must be at most that", train.epochs);
        return conflict("train.warmup_epochs", &train.warmup_epochs, why);
    }
    if kind == DataKind::Pictures && augment.shift as usize >= data.size {
        let why = format!("pictures are {} pixels wide: it must be less", data.size);
        return conflict("augment.shift", &augment.shift, why);
    }
    Ok(())
}

/// Refuses a loss or a monitor that does not fit the target.
fn check_target(config: &Config, target: Option<TargetKind>) -> Result<(), ConfigError> {
    let (task, train) = (config.data.task, &config.train);
    let conflict = |key, value: &str, why: String| {
        Err(ConfigError::Conflict { key, value: value.to_owned(), why })
    };
    if let Some(target) = target.filter(|target| *target != task) {
        let why = format!("the target of the data is of the kind `{}`", target.name());
        return conflict("data.task", task.name(), why);
    }
    if train.loss.target() != task {
        let fits = match task {
            TargetKind::Class => "cross_entropy",
            TargetKind::Label => "binary_cross_entropy",
            TargetKind::Number => "mse or huber",
        };
        let why = format!("the target is of the kind `{}`: it must be {fits}", task.name());
        return conflict("train.loss", train.loss.name(), why);
    }
    let number = task == TargetKind::Number;
    match train.monitor {
        Monitor::ValAccuracy if number => {
            let why = "numbers have no accuracy: val_loss compares them".to_owned();
            conflict("train.monitor", "val_accuracy", why)
        }
        Monitor::ValLossCalibrated if task != TargetKind::Class => {
            let why = "only classes are calibrated: val_loss compares other targets".to_owned();
            conflict("train.monitor", "val_loss_calibrated", why)
        }
        _ => Ok(()),
    }
}

fn each<T>(setting: &OneOrEach<T>) -> Option<usize> {
    match setting {
        OneOrEach::One(_) => None,
        OneOrEach::Each(values) => Some(values.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigBuilder, DataKind, Kernel, Machine, Precision, Preset};

    fn with(sets: &[&str]) -> ConfigBuilder {
        let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Pictures);
        for set in sets {
            builder.assign(set).unwrap();
        }
        builder
    }

    fn resolved(sets: &[&str]) -> Config {
        with(sets).resolve(&Machine::plain(6)).unwrap().config
    }

    #[track_caller]
    fn refused(sets: &[&str], message: &str) {
        assert_eq!(with(sets).resolve(&Machine::plain(6)).unwrap_err().to_string(), message);
    }

    #[test]
    fn auto_picks_the_fastest_precision_and_kernel_of_the_machine() {
        use Kernel::{Amx, Avx2, Avx512, Avx512bf16, Portable};
        let on = |kernels: &[Kernel], sets: &[&str]| {
            let machine = Machine { cores: 1, kernels: kernels.to_vec() };
            let train = with(sets).resolve(&machine).unwrap().config.train;
            (train.precision, train.kernel)
        };
        let (f32, bf16) = (Precision::F32, Precision::Bf16);
        let all = [Amx, Avx512bf16, Avx512, Avx2, Portable];
        assert_eq!(on(&all, &[]), (f32, Avx512));
        assert_eq!(on(&all, &["train.precision=bf16"]), (bf16, Amx));
        assert_eq!(on(&all, &["train.precision=auto"]), (bf16, Amx));
        assert_eq!(on(&all[3..], &["train.precision=auto"]), (f32, Avx2));
        assert_eq!(on(&all[3..], &["train.precision=bf16"]), (bf16, Avx2));
        for (kernel, precision) in [("avx512bf16", bf16), ("avx512", f32), ("portable", f32)] {
            let set = format!("train.kernel={kernel}");
            let (found, with) = on(&all, &["train.precision=auto", &set]);
            assert_eq!((found, with.name()), (precision, kernel));
        }
    }

    #[test]
    fn refuses_a_bf16_kernel_with_single_precision() {
        refused(
            &["train.kernel=amx"],
            "`train.kernel` is `amx`, but it multiplies bf16, and `train.precision` is f32: set that \
             to bf16, or this to auto",
        );
    }

    #[test]
    fn auto_follows_the_optimizer() {
        let rates = |optimizer: &str| {
            let train = resolved(&[&format!("train.optimizer={optimizer}")]).train;
            (train.learning_rate, train.momentum, train.beta2)
        };
        assert_eq!(rates("sgd"), (0.01, 0.9, 0.999));
        assert_eq!(rates("rmsprop"), (0.001, 0.0, 0.99));
        assert_eq!(rates("adam"), (0.001, 0.0, 0.999));
        assert_eq!(rates("adamw"), (0.001, 0.0, 0.999));
    }

    #[test]
    fn auto_follows_epochs_and_schedule() {
        let times = |schedule: &str| {
            let set = format!("train.schedule={schedule}");
            let train = resolved(&[&set, "train.epochs=40"]).train;
            (train.warmup_epochs, train.decay, train.decay_epochs)
        };
        assert_eq!(times("cosine"), (2.0, 0.1, 14.0));
        assert_eq!(times("step"), (2.0, 0.1, 14.0));
        assert_eq!(times("exponential"), (2.0, 0.95, 14.0));
        assert_eq!(times("plateau"), (2.0, 0.1, 5.0));
        assert_eq!(times("one_cycle"), (0.0, 0.1, 14.0));
    }

    #[test]
    fn auto_and_zero_threads_mean_one_per_core() {
        assert_eq!(resolved(&[]).train.threads, 6);
        assert_eq!(resolved(&["train.threads=0"]).train.threads, 6);
        assert_eq!(resolved(&["train.threads=auto"]).train.threads, 6);
        assert_eq!(resolved(&["train.threads=13"]).train.threads, 13);
        assert_eq!(with(&[]).resolve(&Machine::plain(0)).unwrap().config.train.threads, 1);
    }

    #[test]
    fn the_validation_share_depends_on_the_kind_of_data() {
        let share = |kind| {
            ConfigBuilder::new(Preset::Plain, kind).resolve(&Machine::plain(1)).unwrap().config.data
        };
        assert_eq!(share(DataKind::Pictures).val_fraction, 0.2);
        assert_eq!(share(DataKind::Idx).val_fraction, 0.1);
    }

    #[test]
    fn refuses_conflicting_settings() {
        refused(
            &["model.hidden=8,8", "model.dropout=0.1,0.2,0.3"],
            "`model.dropout` is `a list of 3`, but `model.hidden` has 2 layers: give one value, or a list of 2",
        );
        refused(
            &["model.hidden=8", "model.activation=relu,tanh"],
            "`model.activation` is `a list of 2`, but `model.hidden` has 1 layers: give one value, or a list of 1",
        );
        refused(
            &["model.batch_norm=true", "train.batch_size=1"],
            "`train.batch_size` is `1`, but batch normalisation needs batches of at least 2",
        );
        refused(
            &["train.optimizer=sgd", "train.nesterov=true", "train.momentum=0"],
            "`train.nesterov` is `true`, but `train.momentum` is 0: Nesterov's variant needs momentum, such as 0.9",
        );
        refused(
            &["train.epochs=2", "train.warmup_epochs=2.5"],
            "`train.warmup_epochs` is `2.5`, but there are 2 epochs in all: it must be at most that",
        );
        refused(
            &["data.size=8", "augment.shift=8"],
            "`augment.shift` is `8`, but pictures are 8 pixels wide: it must be less",
        );
    }
}
