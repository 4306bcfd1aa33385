//! Settings files, as `-c` accepts them.

use klubok::config::{Config, ConfigBuilder, DataKind, KEYS, Machine, Preset};
use klubok_fuzz::fuzz;

fn resolved(text: &str) -> Option<Config> {
    let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Pictures);
    builder.text(text, "a.toml").ok()?;
    Some(builder.resolve(&Machine::plain(2)).ok()?.config)
}

#[test]
fn settings() {
    let seeds: Vec<Vec<u8>> = [Preset::Plain, Preset::Article, Preset::Balanced]
        .map(|preset| {
            let builder = ConfigBuilder::new(preset, DataKind::Pictures);
            builder.resolve(&Machine::plain(2)).unwrap().config.to_toml().into_bytes()
        })
        .into();
    let words: Vec<&[u8]> = KEYS.iter().map(|key| key.path.as_bytes()).collect();
    fuzz("settings", &seeds, &words, |bytes| {
        // Accepted settings survive a round trip.
        if let Some(config) = std::str::from_utf8(bytes).ok().and_then(resolved) {
            assert_eq!(resolved(&config.to_toml()), Some(config));
        }
    });
}
