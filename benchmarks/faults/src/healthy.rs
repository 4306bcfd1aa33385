//! Configurations without a fault: data that can be learnt, and settings that learn it. Each line
//! of settings is tried on six data sets, easy and hard: overlapping classes, some wrong labels, a
//! larger class, a frame of constant pixels, picture files.

/// A data set: a line for [`super::spec::Spec`] or `demo:NAME`, and the settings that it requires.
pub(crate) type Data = (&'static str, &'static str);

/// Settings, and the data sets to train on with them.
pub(crate) type Sweep = (&'static str, &'static [Data]);

const GLYPHS: Data = ("glyphs gap=7 n=1500", "");
const STRIPES: Data = ("stripes gap=5 n=2000 noise=0.3", "");
const RINGS: Data = ("rings n=2000 side=10 gap=6", "");
const TEN_GLYPHS: Data = ("glyphs classes=10 gap=5 n=4000 val=1000", "");
const NOISY_STRIPES: Data = ("stripes classes=2 gap=3 n=4000 noise=0.6", "");
const UNEVEN_BLOBS: Data = ("blobs gap=4 first=0.4 n=2000", "");
const BLOBS: Data = ("blobs gap=5 n=1500", "");
const MOONS: Data = ("moons n=1500 side=10 gap=6", "");
const TEXTURES: Data = ("textures n=3000 gap=6 noise=0.3", "");
const OVERLAPPING_BLOBS: Data = ("blobs classes=3 gap=2.5 n=4000 val=1000", "");
const MISLABELLED_GLYPHS: Data = ("glyphs gap=6 labels=0.1 n=4000 val=1000", "");
const FRAMED_GLYPHS: Data = ("glyphs gap=6 constant=0.1 n=1500", "");
const GLYPH_FILES: Data = ("glyphs gap=6 classes=3 n=800 val=300 pictures=true", "size=8");
const SPIRALS: Data = ("demo:spirals", "");

#[rustfmt::skip]
pub(crate) const HEALTHY: &[Sweep] = &[
    ("optimizer=adam learning_rate=0.001 epochs=20", &[GLYPHS, STRIPES, RINGS, TEN_GLYPHS, NOISY_STRIPES, UNEVEN_BLOBS]),
    ("optimizer=adamw learning_rate=0.001 schedule=cosine epochs=25 weight_decay=0.05", &[BLOBS, MOONS, TEXTURES, OVERLAPPING_BLOBS, MISLABELLED_GLYPHS, FRAMED_GLYPHS]),
    ("optimizer=sgd learning_rate=0.02 momentum=0.9 epochs=20 schedule=cosine", &[STRIPES, RINGS, TEN_GLYPHS, NOISY_STRIPES, UNEVEN_BLOBS, GLYPH_FILES]),
    ("optimizer=rmsprop learning_rate=0.0005 epochs=20 schedule=cosine", &[MOONS, TEXTURES, OVERLAPPING_BLOBS, MISLABELLED_GLYPHS, FRAMED_GLYPHS, GLYPHS]),
    ("batch_norm=true optimizer=adam learning_rate=0.002 schedule=one_cycle epochs=25 dropout=0.2", &[RINGS, TEN_GLYPHS, NOISY_STRIPES, UNEVEN_BLOBS, GLYPH_FILES, BLOBS]),
    ("dropout=0.3 optimizer=adamw hidden=128,64 epochs=30 schedule=cosine warmup_epochs=2", &[TEXTURES, OVERLAPPING_BLOBS, MISLABELLED_GLYPHS, FRAMED_GLYPHS, GLYPHS, STRIPES]),
    ("activation=tanh init=glorot optimizer=adam hidden=16 epochs=25 schedule=step", &[TEN_GLYPHS, NOISY_STRIPES, UNEVEN_BLOBS, GLYPH_FILES, BLOBS, MOONS]),
    ("activation=leaky_relu hidden=24 optimizer=adam batch_size=64 epochs=25 schedule=exponential", &[OVERLAPPING_BLOBS, MISLABELLED_GLYPHS, FRAMED_GLYPHS, GLYPHS, STRIPES, RINGS]),
    ("activation=silu hidden=32,32,32 optimizer=adamw epochs=20 schedule=cosine weight_decay=0.1", &[NOISY_STRIPES, UNEVEN_BLOBS, GLYPH_FILES, BLOBS, MOONS, TEXTURES]),
    ("activation=gelu hidden=32 optimizer=adam batch_size=16 learning_rate=0.0005 epochs=20 schedule=cosine", &[MISLABELLED_GLYPHS, FRAMED_GLYPHS, GLYPHS, STRIPES, RINGS, TEN_GLYPHS]),
    ("activation=selu init=lecun hidden=32,24,16,12 optimizer=adam learning_rate=0.0005 epochs=20 schedule=cosine", &[UNEVEN_BLOBS, GLYPH_FILES, BLOBS, MOONS, TEXTURES, OVERLAPPING_BLOBS]),
    ("preset=balanced hidden=128,64 epochs=25 schedule=cosine shift=0 early_stopping=true", &[FRAMED_GLYPHS, GLYPHS, STRIPES, RINGS, TEN_GLYPHS, NOISY_STRIPES]),
    ("hidden=32,32,32,32,32,32 optimizer=adam learning_rate=0.0005 epochs=20 schedule=cosine dropout=0.1", &[GLYPH_FILES, BLOBS, MOONS, TEXTURES, OVERLAPPING_BLOBS, MISLABELLED_GLYPHS]),
    ("hidden=48,48,48,48,48,48,48,48 batch_norm=true optimizer=adam epochs=25 schedule=cosine weight_decay=0.1 dropout=0.1", &[GLYPHS, STRIPES, RINGS, TEN_GLYPHS, NOISY_STRIPES, UNEVEN_BLOBS]),
    ("activation=tanh init=glorot optimizer=adam learning_rate=0.01 hidden=32,32 epochs=120 schedule=cosine", &[SPIRALS]),
    ("optimizer=adamw learning_rate=0.005 hidden=64,64 epochs=120 schedule=cosine weight_decay=0.01", &[SPIRALS]),
];
