//! Held-out configurations: no constant of klubok may be tuned on them, and no rule changed after
//! seeing the result of a single one. Two of each fault and forty without one, written before the
//! rules that they evaluate. No line of settings is shared with the tuning configurations.

use super::{
    fault::Fault::{
        ClassImbalance, ConstantInputs, Contradictions, DeadUnits, Duplicates, ExplodingGradients,
        IgnoresInput, NetworkTooSmall, NotNormalised, OscillatingLoss, Overconfidence, Overfitting,
        RateExplodes, RateKills, RateTooLow, SaturatedUnits, ShuffledLabels, SlowConvergence,
        Underfitting, UpdateRatio, VanishingGradients,
    },
    faulty,
    healthy::{Data, Sweep},
};

/// Held-out configurations with a fault.
#[rustfmt::skip]
pub(crate) const FAULTY: &[faulty::Line] = &[
    (DeadUnits, "moons side=10 n=500", "optimizer=adam learning_rate=0.08 hidden=80 batch_size=16", ""),
    (DeadUnits, "glyphs classes=8 gap=5 n=900", "optimizer=adamw learning_rate=0.06 hidden=40,40,40,40 schedule=cosine", ""),
    (SaturatedUnits, "rings side=10 n=500", "activation=tanh optimizer=adamw learning_rate=0.2 hidden=40 batch_size=16", ""),
    (SaturatedUnits, "textures classes=4 n=600", "activation=sigmoid optimizer=rmsprop learning_rate=0.5 hidden=60,30", ""),
    (VanishingGradients, "rings side=10 n=600", "activation=sigmoid init=orthogonal hidden=40,40,40,40,40,40,40 optimizer=sgd learning_rate=0.08 batch_size=16", "activation=relu init=he learning_rate=0.02"),
    (VanishingGradients, "glyphs classes=6 n=500", "activation=sigmoid init=glorot hidden=96,96,96,96,96,96 optimizer=sgd learning_rate=0.15 schedule=cosine", "activation=relu init=he learning_rate=0.05"),
    (ExplodingGradients, "textures", "activation=identity init=he hidden=40,40,40,40,40,40,40,40,40,40,40,40,40,40,40,40,40,40 optimizer=sgd learning_rate=0.005 momentum=0", ""),
    (ExplodingGradients, "rings side=10", "activation=selu init=he output_init=he hidden=80,80,80,80,80,80,80,80 optimizer=sgd learning_rate=0.3 batch_size=64", ""),
    (UpdateRatio, "moons side=10 n=600", "optimizer=rmsprop learning_rate=0.0000005 hidden=48,48", "learning_rate=0.001"),
    (UpdateRatio, "textures n=800", "optimizer=adamw learning_rate=0.08 weight_decay=1 activation=gelu hidden=48,48", "learning_rate=0.001"),
    (RateExplodes, "rings side=10 n=500", "optimizer=sgd learning_rate=20 activation=leaky_relu hidden=48,48 batch_size=16", ""),
    (RateExplodes, "glyphs classes=3 gap=5", "optimizer=rmsprop learning_rate=5 activation=identity hidden=64,32 epochs=20", ""),
    (RateKills, "glyphs classes=7", "optimizer=rmsprop learning_rate=0.8 hidden=40,40,40,40 schedule=cosine batch_size=16", ""),
    (RateKills, "rings side=10 n=600", "optimizer=adamw learning_rate=0.6 hidden=64,64,64,64,64,64 schedule=cosine", ""),
    (RateTooLow, "textures n=800", "optimizer=rmsprop learning_rate=0.000005 hidden=96,48 epochs=25", "learning_rate=0.001"),
    (RateTooLow, "blobs classes=6 n=600", "optimizer=sgd learning_rate=0.0002 momentum=0.5 activation=silu batch_size=64", "learning_rate=0.05"),
    (OscillatingLoss, "textures gap=4 labels=0.15 n=700", "optimizer=rmsprop learning_rate=0.15 activation=tanh init=glorot hidden=24,24 epochs=40", "learning_rate=0.002"),
    (OscillatingLoss, "blobs classes=6 gap=2.5 labels=0.15 n=800", "optimizer=adamw learning_rate=0.25 activation=sigmoid hidden=40 batch_size=16 epochs=35", "learning_rate=0.003"),
    (SlowConvergence, "moons side=10 n=600", "optimizer=rmsprop learning_rate=0.00005 epochs=12 hidden=48", "epochs=80"),
    (SlowConvergence, "blobs classes=8 gap=4 n=600", "optimizer=sgd learning_rate=0.001 epochs=15 activation=gelu batch_size=64", "epochs=80"),
    (Overfitting, "blobs labels=0.35 gap=3 n=500", "optimizer=adam learning_rate=0.001 hidden=200 epochs=50 batch_size=16", ""),
    (Overfitting, "moons labels=0.3 side=10 n=400", "optimizer=adamw learning_rate=0.002 activation=silu hidden=96,96 epochs=60", ""),
    (Overconfidence, "textures n=350 classes=4 noise=1 gap=6 val=2000", "optimizer=rmsprop learning_rate=0.001 hidden=192,96 epochs=80", ""),
    (Overconfidence, "textures n=450 noise=1.3 gap=6 val=2000 side=9", "optimizer=adam learning_rate=0.002 activation=silu hidden=256 epochs=80", ""),
    (Underfitting, "stripes n=3500 classes=5 side=10", "activation=identity hidden=48,24 optimizer=rmsprop learning_rate=0.0005 epochs=25 schedule=cosine", "activation=relu"),
    (Underfitting, "blobs classes=6 gap=5 n=800", "l2=0.5 optimizer=sgd learning_rate=0.02 hidden=64,64 epochs=30 batch_size=64", "l2=0"),
    (NotNormalised, "textures classes=4 n=500", "normalize=false optimizer=adam learning_rate=0.0003 activation=gelu hidden=48,48 batch_norm=true", ""),
    (NotNormalised, "moons side=10", "normalize=false optimizer=sgd learning_rate=0.001 momentum=0 hidden=96 schedule=cosine", ""),
    (ConstantInputs, "rings constant=0.45 side=14 n=600", "optimizer=rmsprop activation=silu hidden=56", ""),
    (ConstantInputs, "moons constant=0.65 side=16 n=500", "optimizer=sgd learning_rate=0.02 hidden=48,24", ""),
    (ClassImbalance, "textures classes=4 first=0.85 n=900", "optimizer=adam hidden=48 schedule=cosine", ""),
    (ClassImbalance, "moons first=0.9 side=10 n=800", "optimizer=sgd learning_rate=0.05 activation=tanh init=glorot batch_size=64", ""),
    (ShuffledLabels, "rings shuffle=true side=10 n=700 val=1000", "optimizer=rmsprop learning_rate=0.0005 activation=gelu hidden=96,48", ""),
    (ShuffledLabels, "glyphs shuffle=true classes=3 n=900 val=1200", "optimizer=adamw hidden=160 dropout=0.2 epochs=40", ""),
    (Duplicates, "textures copies=0.05 n=600", "optimizer=rmsprop hidden=72", ""),
    (Duplicates, "blobs copies=0.4 val=0 n=900 classes=6", "optimizer=adam val_fraction=0.2 activation=silu", ""),
    (Contradictions, "rings clash=0.05 side=10 n=700", "optimizer=rmsprop activation=tanh init=glorot", ""),
    (Contradictions, "textures clash=0.3 classes=4", "optimizer=sgd learning_rate=0.05 batch_norm=true batch_size=16", ""),
    (NetworkTooSmall, "rings classes=5 side=10 n=800", "hidden=1 optimizer=rmsprop learning_rate=0.002 activation=silu epochs=40", "hidden=96,48"),
    (NetworkTooSmall, "blobs classes=12 gap=4 n=1000", "hidden=1,24 optimizer=adamw activation=gelu", "hidden=96,48"),
    (IgnoresInput, "rings classes=3 side=10", "init=zeros optimizer=rmsprop activation=silu hidden=48,48", ""),
    (IgnoresInput, "moons side=10 n=500", "l2=20 optimizer=sgd learning_rate=0.02 momentum=0 hidden=96", ""),
];

const GLYPHS: Data = ("glyphs classes=7 gap=6 n=3000 val=800", "");
const MISLABELLED_BLOBS: Data = ("blobs classes=6 gap=4.5 n=2500 labels=0.05", "");
const OVERLAPPING_BLOBS: Data = ("blobs classes=2 gap=2 n=5000 val=1500", "");
const NOISY_STRIPES: Data = ("stripes classes=3 gap=4 n=4000 noise=0.5 val=0", "val_fraction=0.2");
const TEXTURES: Data = ("textures classes=2 gap=5 n=3000 noise=0.4", "");
const RINGS: Data = ("rings classes=3 side=12 gap=7 n=3000", "");
const UNEVEN_MOONS: Data = ("moons side=12 gap=5 n=2000 first=0.35", "");
const GLYPH_FILES: Data = ("glyphs classes=4 gap=7 n=1000 val=400 pictures=true", "size=8");
const FRAMED_GLYPHS: Data = ("glyphs classes=12 gap=6 n=5000 val=1200 side=10 constant=0.15", "");
const STRIPES: Data = ("stripes classes=4 gap=5 n=3000 noise=0.4 side=10", "");

/// Held-out configurations without a fault: each line of settings on five of ten data sets.
#[rustfmt::skip]
pub(crate) const HEALTHY: &[Sweep] = &[
    ("optimizer=sgd learning_rate=0.05 nesterov=true hidden=96,48 batch_size=64 epochs=25 schedule=cosine warmup_epochs=1", &[GLYPHS, MISLABELLED_BLOBS, OVERLAPPING_BLOBS, NOISY_STRIPES, TEXTURES]),
    ("optimizer=adam learning_rate=0.0005 activation=mish hidden=40,40 epochs=25 schedule=exponential", &[MISLABELLED_BLOBS, RINGS, UNEVEN_MOONS, OVERLAPPING_BLOBS, GLYPH_FILES]),
    ("optimizer=adamw learning_rate=0.002 hidden=64 dropout=0.4 input_dropout=0.1 epochs=30 schedule=one_cycle", &[OVERLAPPING_BLOBS, NOISY_STRIPES, TEXTURES, UNEVEN_MOONS, FRAMED_GLYPHS]),
    ("optimizer=rmsprop learning_rate=0.0003 activation=leaky_relu hidden=48,24 batch_size=64 epochs=25 schedule=cosine", &[NOISY_STRIPES, GLYPHS, STRIPES, TEXTURES, MISLABELLED_BLOBS]),
    ("optimizer=adamw learning_rate=0.001 activation=gelu hidden=64,64,64 batch_norm=true label_smoothing=0.05 epochs=20 schedule=cosine", &[TEXTURES, UNEVEN_MOONS, FRAMED_GLYPHS, STRIPES, RINGS]),
    ("optimizer=sgd learning_rate=0.1 momentum=0 activation=tanh init=glorot hidden=32 epochs=25 schedule=step", &[UNEVEN_MOONS, OVERLAPPING_BLOBS, GLYPH_FILES, FRAMED_GLYPHS, NOISY_STRIPES]),
    ("optimizer=adam learning_rate=0.001 init=orthogonal l2=0.0005 clip_norm=1 hidden=40,40,40,40 epochs=25 schedule=cosine", &[FRAMED_GLYPHS, STRIPES, RINGS, GLYPH_FILES, GLYPHS]),
    ("optimizer=adamw learning_rate=0.0007 activation=sigmoid init=glorot hidden=48 batch_size=16 epochs=40 schedule=cosine", &[STRIPES, TEXTURES, MISLABELLED_BLOBS, RINGS, UNEVEN_MOONS]),
];
