//! The page's own files, and the script of the charts.

use std::sync::LazyLock;

use klubok_text::{Lang, language, page_texts};

/// The page, without texts.
const BARE: &str = include_str!("web/page.html");

/// The page in the language of the command, from its first byte: scripts come later, if at all.
pub(super) fn page() -> &'static str {
    static PAGE: LazyLock<String> = LazyLock::new(|| written(language()));
    &PAGE
}

fn written(lang: Lang) -> String {
    let name = match lang {
        Lang::En => "en",
        Lang::Ru => "ru",
    };
    let mut page = BARE.replacen("<html>", &format!("<html lang=\"{name}\">"), 1);
    for (key, text) in page_texts(lang) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let label = format!("data-t-label=\"{key}\"");
        page = page.replace(&label, &format!("{label} aria-label=\"{text}\""));
        page = page.replace(&format!("data-t=\"{key}\">"), &format!("data-t=\"{key}\">{text}"));
    }
    page
}

/// Its looks.
pub(super) const STYLE: &str = include_str!("web/page.css");

macro_rules! scripts {
    ($($name:literal),* $(,)?) => {
        /// Its scripts, in the order in which they run.
        pub(super) const SCRIPTS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("web/", $name)))),*];
    };
}

scripts!(
    "api.js",
    "text.js",
    "state.js",
    "draw.js",
    "panels.js",
    "panel-status.js",
    "panel-sentence.js",
    "figure.js",
    "panel-curves.js",
    "panel-picture.js",
    "panel-map.js",
    "proof.js",
    "panel-network.js",
    "panel-features.js",
    "panel-excites.js",
    "panel-layers.js",
    "panel-cloud.js",
    "panel-neuron.js",
    "panel-motion.js",
    "panel-terrain.js",
    "panel-answers.js",
    "panel-lesions.js",
    "panel-data.js",
    "panel-suspects.js",
    "panel-runs.js",
    "panel-repeat.js",
    "main.js",
);

/// The script of the charts, packed with gzip: a megabyte and a half.
pub(super) const CHARTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/charts.js.gz"));

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_charts_are_whole_and_small() {
        let mut script = String::new();
        flate2::read::GzDecoder::new(CHARTS).read_to_string(&mut script).unwrap();
        assert!(script.contains("plotly.js") && script.len() > 3_000_000);
        assert!(CHARTS.len() < 2_000_000);
    }

    #[test]
    fn the_page_speaks_from_its_first_byte() {
        let (english, russian) = (written(Lang::En), written(Lang::Ru));
        assert!(english.starts_with("<!doctype html>\n<html lang=\"en\">"));
        assert!(russian.starts_with("<!doctype html>\n<html lang=\"ru\">"));
        let title = r#"<h2 id="title-curves" data-t="page.curves">"#;
        assert!(english.contains(&format!("{title}Curves</h2>")));
        assert!(russian.contains(&format!("{title}Кривые</h2>")));
        for page in [english, russian] {
            let mut texts = page.split("data-t=\"").skip(1);
            assert!(texts.all(|text| !text.split_once("\">").unwrap().1.starts_with('<')));
        }
    }

    #[test]
    fn the_page_names_all_its_scripts_in_order() {
        let named: Vec<&str> = BARE
            .split("src=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .map(|name| name.trim_start_matches('/'))
            .collect();
        let own: Vec<&str> = SCRIPTS.iter().map(|(name, _)| *name).collect();
        assert_eq!(named, own);
    }
}
