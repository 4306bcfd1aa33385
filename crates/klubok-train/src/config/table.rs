//! The table of all settings: one row per key with its default, range, meaning and source.
//!
//! Checking, suggestions, `config.toml` and the printed defaults read this table. A test compares
//! it with the structs in [`super`].

use std::ops::Bound::{Excluded, Included, Unbounded};

use super::keys::{Allowed, Arity, DefaultValue, Key};

const ACTIVATIONS: &[&str] =
    &["relu", "leaky_relu", "gelu", "silu", "selu", "mish", "tanh", "sigmoid", "identity"];
const INITS: &[&str] = &[
    "he",
    "he_uniform",
    "glorot",
    "glorot_uniform",
    "lecun",
    "lecun_uniform",
    "orthogonal",
    "zeros",
];

const ANY_SEED: Allowed = Allowed::Whole(0, i64::MAX);
const AT_LEAST_0: Allowed = Allowed::Number(Included(0.0), Unbounded);
const ABOVE_0: Allowed = Allowed::Number(Excluded(0.0), Unbounded);
const BELOW_1: Allowed = Allowed::Number(Included(0.0), Excluded(1.0));

const fn key(
    path: &'static str,
    default: &'static str,
    allowed: Allowed,
    meaning: &'static str,
    source: &'static str,
) -> Key {
    let default = DefaultValue::Fixed(default);
    Key { path, default, allowed, arity: Arity::One, meaning, source }
}

const fn auto(
    path: &'static str,
    rule: &'static str,
    allowed: Allowed,
    meaning: &'static str,
    source: &'static str,
) -> Key {
    let default = DefaultValue::Auto(rule);
    Key { path, default, allowed, arity: Arity::One, meaning, source }
}

const fn several(key: Key, arity: Arity) -> Key {
    Key { arity, ..key }
}

/// All settings, section by section.
pub const KEYS: &[Key] = &[
    key(
        "data.size",
        "64",
        Allowed::Whole(1, 4096),
        "pixels on each side of a picture, as the network sees it; IDX pictures keep their own size",
        "4,096 grey values, as in the article",
    ),
    key(
        "data.color",
        r#""grey""#,
        Allowed::OneOf(&["grey", "rgb"]),
        "colours of the network's input",
        "the article",
    ),
    key(
        "data.fit",
        r#""squash""#,
        Allowed::OneOf(&["squash", "crop", "pad"]),
        "how a picture becomes a square: stretch it, cut the middle out, or fill up with grey",
        "nothing of the picture is lost",
    ),
    auto(
        "data.layout",
        "names: what folders are called and hold decides",
        Allowed::OneOf(&["names", "parts", "classes"]),
        "pictures: folders are parts above classes (train/cat/1.jpg), or classes whatever they are called",
        "where it is not clear, training asks for it",
    ),
    key(
        "data.normalize",
        "true",
        Allowed::Switch,
        "x = (stored - mean) / std over the training part, or x as it is stored (pixels: 0 to 255)",
        "LeCun et al. 1998, Efficient BackProp",
    ),
    auto(
        "data.val_fraction",
        "0.2, for IDX files 0.1",
        Allowed::Number(Excluded(0.0), Excluded(1.0)),
        "share of the data cut off for validation where there is no validation part",
        "usual practice",
    ),
    key(
        "data.split_seed",
        "0",
        ANY_SEED,
        "seed of that cut; train.seed does not touch it",
        "any number will do",
    ),
    key(
        "data.limit",
        "0",
        Allowed::Whole(0, i64::MAX),
        "samples of each part that are used, classes in proportion, drawn by data.split_seed; 0 is all",
        "all there is",
    ),
    several(
        key(
            "data.target",
            "[]",
            Allowed::Text,
            "tables: the column to predict, or a list of them",
            "only the data's owner knows",
        ),
        Arity::List,
    ),
    key(
        "data.weight",
        r#""""#,
        Allowed::Text,
        "tables: the column with the weight of each row, in training and evaluation; \"\" is none",
        "all rows count the same",
    ),
    auto(
        "data.task",
        "class for folders; for tables what the target column holds decides, and is said",
        Allowed::OneOf(&["class", "number", "label"]),
        "what the target is: one of several classes, numbers, or labels (columns of 0 and 1)",
        "usual practice",
    ),
    several(
        key(
            "model.hidden",
            "[512, 256]",
            Allowed::Whole(1, 1_000_000),
            "units of each hidden layer, from the input on; [] is none",
            "the article's first two",
        ),
        Arity::List,
    ),
    several(
        key(
            "model.activation",
            r#""relu""#,
            Allowed::OneOf(ACTIVATIONS),
            "activation of the hidden layers",
            "Nair and Hinton 2010",
        ),
        Arity::OneOrEach,
    ),
    key(
        "model.init",
        r#""he""#,
        Allowed::OneOf(INITS),
        "how the weights of hidden layers start",
        "He et al. 2015",
    ),
    key(
        "model.output_init",
        r#""zeros""#,
        Allowed::OneOf(INITS),
        "how the output layer's weights start; zeros: the loss at step 0 is ln(classes)",
        "Karpathy 2019: verify the loss at the start",
    ),
    key(
        "model.prior_bias",
        "false",
        Allowed::Switch,
        "start the output biases at the log of the classes' shares",
        "Karpathy 2019: worth it where classes are uneven",
    ),
    key(
        "model.batch_norm",
        "false",
        Allowed::Switch,
        "normalise over the batch after every hidden linear layer (Ioffe and Szegedy 2015)",
        "the plain network",
    ),
    several(
        key(
            "model.dropout",
            "0.0",
            BELOW_1,
            "chance to drop a hidden unit in training (Srivastava et al. 2014)",
            "the plain network",
        ),
        Arity::OneOrEach,
    ),
    key(
        "model.input_dropout",
        "0.0",
        BELOW_1,
        "chance to drop an input value in training",
        "the plain network",
    ),
    key(
        "train.epochs",
        "30",
        Allowed::Whole(1, 1_000_000),
        "passes over the training part",
        "enough for most sets of some ten thousand samples",
    ),
    key(
        "train.batch_size",
        "128",
        Allowed::Whole(1, 1_048_576),
        "samples of one update",
        "32 to 512 is usual",
    ),
    key(
        "train.optimizer",
        r#""adamw""#,
        Allowed::OneOf(&["sgd", "rmsprop", "adam", "adamw"]),
        "update rule",
        "Loshchilov and Hutter 2019",
    ),
    auto(
        "train.learning_rate",
        "0.001, with sgd 0.01",
        ABOVE_0,
        "learning rate, reached after warm-up",
        "Kingma and Ba 2015; for sgd usual practice",
    ),
    auto(
        "train.momentum",
        "0.9 with sgd, else 0",
        BELOW_1,
        "sgd, rmsprop: share of the last velocity that is kept",
        "Sutskever et al. 2013",
    ),
    key(
        "train.nesterov",
        "false",
        Allowed::Switch,
        "sgd: momentum that looks ahead (Nesterov 1983)",
        "PyTorch",
    ),
    key(
        "train.beta1",
        "0.9",
        BELOW_1,
        "adam, adamw: share of the old mean gradient that is kept",
        "Kingma and Ba 2015",
    ),
    auto(
        "train.beta2",
        "0.999, with rmsprop 0.99",
        BELOW_1,
        "adam, adamw, rmsprop: share of the old mean square that is kept",
        "Kingma and Ba 2015; PyTorch's alpha for rmsprop",
    ),
    key(
        "train.epsilon",
        "1e-8",
        ABOVE_0,
        "adam, adamw, rmsprop: added to the root",
        "Kingma and Ba 2015",
    ),
    key(
        "train.schedule",
        r#""cosine""#,
        Allowed::OneOf(&["constant", "step", "exponential", "cosine", "one_cycle", "plateau"]),
        "learning rate over time",
        "Loshchilov and Hutter 2017",
    ),
    auto(
        "train.warmup_epochs",
        "a twentieth of train.epochs, with one_cycle 0 (it rises by itself)",
        AT_LEAST_0,
        "epochs in which the learning rate rises linearly from 0, fractions allowed",
        "Goyal et al. 2017",
    ),
    auto(
        "train.decay",
        "0.1, with exponential 0.95",
        Allowed::Number(Excluded(0.0), Included(1.0)),
        "step, exponential, plateau: factor of each reduction",
        "PyTorch's StepLR and ReduceLROnPlateau",
    ),
    auto(
        "train.decay_epochs",
        "a third of train.epochs, with plateau 5",
        ABOVE_0,
        "step: epochs between reductions; plateau: epochs without a better validation loss before one",
        "He et al. 2016: reduced twice; plateau: twice before early stopping",
    ),
    key(
        "train.restarts",
        "0",
        Allowed::Whole(0, 1000),
        "cosine: how often it starts again",
        "Loshchilov and Hutter 2017",
    ),
    key(
        "train.clip_norm",
        "0.0",
        AT_LEAST_0,
        "largest norm of the whole gradient (Pascanu et al. 2013); 0 is no limit",
        "the plain network",
    ),
    auto(
        "train.loss",
        "cross_entropy for classes, binary_cross_entropy for labels, mse for numbers",
        Allowed::OneOf(&["cross_entropy", "binary_cross_entropy", "mse", "huber"]),
        "what is minimised; numbers in standard deviations of the target",
        "maximum likelihood",
    ),
    key(
        "train.huber_delta",
        "1.0",
        ABOVE_0,
        "huber: distance from which the loss is linear, in standard deviations of the target",
        "PyTorch",
    ),
    key(
        "train.class_weights",
        r#""none""#,
        Allowed::OneOf(&["none", "balanced"]),
        "weigh classes by how rare they are, as scikit-learn's \"balanced\"",
        "scikit-learn",
    ),
    key(
        "train.monitor",
        r#""auto""#,
        Allowed::OneOf(&["auto", "val_loss_calibrated", "val_loss", "val_accuracy", "last"]),
        "what decides which epoch is the best, the earlier one on ties; auto: the validation loss after the best temperature, over three epochs, or accuracy where hardly any answer is wrong",
        "Berta et al. 2025",
    ),
    key(
        "train.early_stopping",
        "true",
        Allowed::Switch,
        "stop when nothing gets better",
        "Prechelt 1998",
    ),
    key(
        "train.patience",
        "15",
        Allowed::Whole(1, 1_000_000),
        "epochs without a better one before stopping",
        "half of the epochs of the preset plain",
    ),
    key(
        "train.snapshots",
        "60",
        Allowed::Whole(0, 200),
        "snapshots in the film of a run, from random weights to the end; 0 records none",
        "enough to see every change; ten megabytes at most",
    ),
    key(
        "train.tensorboard",
        "false",
        Allowed::Switch,
        "write a TensorBoard event file into the run: figures, histograms, pictures, settings, phases",
        "the page shows more",
    ),
    key(
        "train.seed",
        "0",
        ANY_SEED,
        "seed of start, order, dropout and augmentation",
        "any number will do",
    ),
    auto(
        "train.threads",
        "one a core",
        Allowed::Whole(0, 1024),
        "threads; 0 is \"auto\"; results do not depend on them",
        "all of the machine",
    ),
    key(
        "train.precision",
        r#""f32""#,
        Allowed::OneOf(&["f32", "bf16", "auto"]),
        "precision of the products; bf16 rounds what is multiplied to 8 bits, sums stay f32; auto: bf16 where the kernel is faster with it",
        "single precision",
    ),
    key("train.device", r#""cpu""#, Allowed::OneOf(&["cpu"]), "what computes", "always there"),
    auto(
        "train.kernel",
        "the fastest that the machine has for the precision",
        Allowed::OneOf(&["amx", "avx512bf16", "avx512", "avx2", "portable"]),
        "which instructions compute; results differ between them in their last bits, so a run keeps its own",
        "all of the machine",
    ),
    key(
        "regularization.l1",
        "0.0",
        AT_LEAST_0,
        "penalty l1 * sum |w| in the loss",
        "the plain network",
    ),
    key(
        "regularization.l2",
        "0.0",
        AT_LEAST_0,
        "penalty l2/2 * sum w^2 in the loss",
        "the plain network",
    ),
    key(
        "regularization.weight_decay",
        "0.0",
        AT_LEAST_0,
        "weights shrink by learning_rate * weight_decay each step (Loshchilov and Hutter 2019)",
        "the plain network",
    ),
    key(
        "regularization.max_norm",
        "0.0",
        AT_LEAST_0,
        "largest norm of a unit's incoming weights (Srivastava et al. 2014); 0 is no limit",
        "the plain network",
    ),
    key(
        "regularization.label_smoothing",
        "0.0",
        BELOW_1,
        "share of the target spread over all classes (Szegedy et al. 2016)",
        "the plain network",
    ),
    key("augment.flip", "false", Allowed::Switch, "mirror half of the pictures", "plain pictures"),
    key(
        "augment.shift",
        "0",
        Allowed::Whole(0, 4095),
        "shift pictures by up to this many pixels, at the network's size; the edge is repeated",
        "plain pictures",
    ),
];
