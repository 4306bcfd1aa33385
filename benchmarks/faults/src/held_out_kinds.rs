//! A held-out kind of data and a held-out kind of network: no tuning configuration uses either. The
//! held-out settings of `held_out.rs` still meet pictures and activations that the rules were tuned
//! on; these configurations test the rules where nothing is familiar. No rule may be changed by
//! their results. A line may change only to make its fault present by the truth.
//!
//! Data: spots, with networks of every kind but mish. Network: mish, on data of every kind but
//! spots. Five healthy configurations of `held_out.rs` have mish too, but no constant was tuned on
//! them. Mish has no upper bound at which units could saturate, so `saturated_units` is planted in
//! spots only.

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

/// Spots with a fault.
#[rustfmt::skip]
pub(crate) const DATA_FAULTY: &[faulty::Line] = &[
    (DeadUnits, "spots n=600", "optimizer=adam learning_rate=0.07 hidden=72,36", ""),
    (SaturatedUnits, "spots classes=2 n=500", "activation=tanh optimizer=adam learning_rate=0.4 hidden=56,28", ""),
    (VanishingGradients, "spots n=2500", "activation=sigmoid init=glorot hidden=40,40,40,40,40,40 optimizer=sgd learning_rate=0.1", "activation=relu init=he learning_rate=0.03"),
    (ExplodingGradients, "spots", "activation=identity init=he output_init=he hidden=56,56,56,56,56,56,56,56,56,56,56,56,56,56,56 optimizer=sgd learning_rate=0.002", ""),
    (UpdateRatio, "spots n=2000", "optimizer=adam learning_rate=0.0000008 hidden=72,36", "learning_rate=0.001"),
    (RateExplodes, "spots classes=2", "optimizer=sgd learning_rate=15 activation=leaky_relu hidden=72,36", ""),
    (RateKills, "spots classes=4 side=10", "optimizer=adam learning_rate=0.9 hidden=56,56,56,56 schedule=cosine", ""),
    (RateTooLow, "spots n=600", "optimizer=adam learning_rate=0.000008 activation=silu hidden=80,40", "learning_rate=0.001"),
    (OscillatingLoss, "spots classes=2 labels=0.1 n=800", "optimizer=adam learning_rate=0.25 activation=tanh init=glorot hidden=28 epochs=40", "learning_rate=0.002"),
    (SlowConvergence, "spots n=2500 gap=6", "optimizer=adam learning_rate=0.0002 epochs=10 activation=gelu hidden=64", "epochs=60"),
    (Overfitting, "spots classes=2 labels=0.2 gap=6 n=4000", "optimizer=adam learning_rate=0.001 hidden=160,80 epochs=60", ""),
    (Overconfidence, "spots n=1000 noise=0.5 val=2000", "optimizer=adam learning_rate=0.002 hidden=224,112 epochs=80", ""),
    (Underfitting, "spots n=3500", "activation=identity hidden=40,20 optimizer=adam epochs=25", "activation=relu"),
    (NotNormalised, "spots n=600", "normalize=false optimizer=adam learning_rate=0.0005 activation=gelu hidden=56", ""),
    (ConstantInputs, "spots constant=0.5 side=12 n=800", "optimizer=adamw activation=leaky_relu hidden=64", ""),
    (ClassImbalance, "spots classes=2 first=0.9 n=900", "optimizer=adam activation=silu hidden=56", ""),
    (ShuffledLabels, "spots shuffle=true classes=2 n=800 val=1000", "optimizer=adam learning_rate=0.0007 hidden=128,64", ""),
    (Duplicates, "spots copies=0.15 n=700", "optimizer=sgd learning_rate=0.03 activation=selu init=lecun hidden=56", ""),
    (Contradictions, "spots clash=0.08 n=600", "optimizer=adam activation=tanh init=glorot hidden=56", ""),
    (NetworkTooSmall, "spots classes=4 n=1500", "hidden=1 optimizer=adam learning_rate=0.004 activation=tanh init=glorot", "hidden=96,48"),
    (IgnoresInput, "spots n=500", "l1=0.15 optimizer=sgd learning_rate=0.02 activation=tanh init=glorot hidden=48", ""),
];

const SPOTS: Data = ("spots gap=6 n=5000", "");
const TWO_SPOTS: Data = ("spots classes=2 gap=5 n=3000 noise=0.4", "");
const FOUR_SPOTS: Data = ("spots classes=4 gap=8 side=10 n=7000 val=1000 noise=0.2", "");
const MISLABELLED_SPOTS: Data = ("spots classes=2 gap=4 n=5000 first=0.35 labels=0.05", "");
const SPOT_FILES: Data = ("spots gap=7 n=2500 val=400 pictures=true", "size=8");

/// Spots without a fault: each line of settings on all five data sets.
#[rustfmt::skip]
pub(crate) const DATA_HEALTHY: &[Sweep] = &[
    ("optimizer=adam learning_rate=0.0007 hidden=72,36 epochs=20 schedule=cosine l2=0.0005", &[SPOTS, TWO_SPOTS, FOUR_SPOTS, MISLABELLED_SPOTS, SPOT_FILES]),
    ("optimizer=sgd learning_rate=0.02 activation=leaky_relu hidden=48 epochs=20 schedule=cosine l2=0.002", &[SPOTS, TWO_SPOTS, FOUR_SPOTS, MISLABELLED_SPOTS, SPOT_FILES]),
    ("optimizer=adamw learning_rate=0.002 activation=gelu hidden=64,64 dropout=0.3 epochs=30 schedule=one_cycle weight_decay=0.05", &[SPOTS, TWO_SPOTS, FOUR_SPOTS, MISLABELLED_SPOTS, SPOT_FILES]),
    ("optimizer=rmsprop learning_rate=0.0005 activation=tanh init=glorot batch_norm=true hidden=48,24 batch_size=64 epochs=25 schedule=cosine dropout=0.2", &[SPOTS, TWO_SPOTS, FOUR_SPOTS, MISLABELLED_SPOTS, SPOT_FILES]),
];

/// Networks with mish and a fault.
#[rustfmt::skip]
pub(crate) const NETWORK_FAULTY: &[faulty::Line] = &[
    (DeadUnits, "blobs gap=3 n=600", "activation=mish optimizer=adam learning_rate=0.3 hidden=72,36", ""),
    (VanishingGradients, "glyphs classes=4 n=800", "activation=mish init=lecun hidden=32,32,32,32,32,32,32,32,32,32,32,32,32,32,32,32,32,32 optimizer=sgd learning_rate=0.02", "init=he hidden=64,32"),
    (ExplodingGradients, "textures", "activation=mish init=he output_init=he hidden=64,64,64,64,64,64 optimizer=sgd learning_rate=0.6", ""),
    (UpdateRatio, "glyphs gap=3 n=600", "activation=mish optimizer=adamw learning_rate=0.15 weight_decay=1 hidden=56,56", "learning_rate=0.001"),
    (RateExplodes, "stripes", "activation=mish optimizer=sgd learning_rate=12 hidden=56,56", ""),
    (RateKills, "textures n=600", "activation=mish optimizer=adam learning_rate=0.8 hidden=56,56,56,56 schedule=cosine", ""),
    (RateTooLow, "moons side=10 n=600", "activation=mish optimizer=sgd learning_rate=0.0002 hidden=56", "learning_rate=0.05"),
    (OscillatingLoss, "blobs gap=2.5 labels=0.15 n=700", "activation=mish optimizer=adam learning_rate=0.2 batch_size=16 hidden=28 epochs=40", "learning_rate=0.002"),
    (SlowConvergence, "rings classes=3 side=10 n=800", "activation=mish optimizer=adam learning_rate=0.0002 epochs=12 hidden=56,28", "epochs=90"),
    (Overfitting, "stripes classes=2 labels=0.3 n=500", "activation=mish optimizer=adam learning_rate=0.001 hidden=192,96 epochs=60", ""),
    (Overconfidence, "textures n=400 noise=1.2 gap=6 side=9 val=2000", "activation=mish optimizer=adam learning_rate=0.002 hidden=224,112 epochs=80", ""),
    (Underfitting, "glyphs classes=6 n=900", "activation=mish l2=0.7 optimizer=sgd learning_rate=0.02 hidden=56,56 epochs=35", "l2=0"),
    (NotNormalised, "rings side=10 n=600", "activation=mish normalize=false optimizer=adam learning_rate=0.0005 hidden=56", ""),
    (ConstantInputs, "glyphs constant=0.45 side=12 n=600", "activation=mish optimizer=adam hidden=56,28", ""),
    (ClassImbalance, "blobs classes=4 first=0.85 n=800", "activation=mish optimizer=sgd learning_rate=0.03 hidden=56", ""),
    (ShuffledLabels, "glyphs shuffle=true classes=2 n=700 val=1000", "activation=mish optimizer=adamw hidden=128,64", ""),
    (Duplicates, "stripes copies=0.2 val=0 n=900", "activation=mish optimizer=adam val_fraction=0.2 hidden=72", ""),
    (Contradictions, "moons clash=0.06 side=10 n=600", "activation=mish optimizer=rmsprop hidden=56", ""),
    (NetworkTooSmall, "glyphs classes=9 n=900", "activation=mish hidden=1 optimizer=adam learning_rate=0.003", "hidden=96,48"),
    (IgnoresInput, "textures n=500", "activation=mish init=zeros optimizer=adam hidden=56,28", ""),
];

const BLOBS: Data = ("blobs classes=5 gap=3.5 n=6000", "");
const GLYPHS: Data = ("glyphs classes=8 gap=4 n=4000 val=800", "");
const STRIPES: Data = ("stripes classes=3 gap=2 n=6000 noise=0.6", "");
const TEXTURES: Data = ("textures classes=2 gap=5 n=6000 noise=0.8", "");
const MOON_FILES: Data = ("moons side=10 gap=5 n=1200 val=400 pictures=true", "size=10");
const MISLABELLED_RINGS: Data = ("rings side=10 gap=6 n=4000 first=0.4 labels=0.05", "");

/// Networks with mish without a fault: each line of settings on five of six data sets.
#[rustfmt::skip]
pub(crate) const NETWORK_HEALTHY: &[Sweep] = &[
    ("activation=mish optimizer=adam learning_rate=0.0007 hidden=56,28 epochs=15 schedule=cosine l2=0.001", &[BLOBS, GLYPHS, STRIPES, TEXTURES, MOON_FILES]),
    ("activation=mish optimizer=sgd learning_rate=0.02 hidden=40 epochs=15 schedule=cosine l2=0.002", &[MISLABELLED_RINGS, BLOBS, GLYPHS, STRIPES, TEXTURES]),
    ("activation=mish optimizer=adamw learning_rate=0.001 hidden=32,32,32 dropout=0.3 epochs=20 schedule=one_cycle weight_decay=0.1", &[MOON_FILES, MISLABELLED_RINGS, BLOBS, GLYPHS, STRIPES]),
    ("activation=mish optimizer=rmsprop learning_rate=0.0004 batch_norm=true hidden=48,24 batch_size=64 epochs=20 schedule=cosine", &[TEXTURES, MOON_FILES, MISLABELLED_RINGS, BLOBS, GLYPHS]),
];
