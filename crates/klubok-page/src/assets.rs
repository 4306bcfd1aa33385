//! Static files of the page, and the script of the charts.

use std::sync::LazyLock;

use klubok_text::{Lang, language, page_texts};

/// The page, without texts.
const TEMPLATE: &str = include_str!("web/page.html");

/// Returns the page in the language of the command: readable even before its scripts run.
pub(super) fn page() -> &'static str {
    static PAGE: LazyLock<String> = LazyLock::new(|| localised(language()));
    &PAGE
}

fn localised(lang: Lang) -> String {
    let name = match lang {
        Lang::En => "en",
        Lang::Ru => "ru",
    };
    let mut page = TEMPLATE.replacen("<html>", &format!("<html lang=\"{name}\">"), 1);
    for (key, text) in page_texts(lang) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let label = format!("data-t-label=\"{key}\"");
        page = page.replace(&label, &format!("{label} aria-label=\"{text}\""));
        page = page.replace(&format!("data-t=\"{key}\">"), &format!("data-t=\"{key}\">{text}"));
    }
    page
}

/// Style of the page.
pub(super) const STYLE: &str = include_str!("web/page.css");

macro_rules! scripts {
    ($($name:literal),* $(,)?) => {
        /// Scripts of the page, in the order in which they run.
        pub(super) const SCRIPTS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("web/", $name)))),*];
    };
}

scripts!(
    "api.js",
    "text.js",
    "state.js",
    "draw.js",
    "target.js",
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
    "answers-values.js",
    "panel-answers.js",
    "panel-lesions.js",
    "panel-data.js",
    "panel-suspects.js",
    "panel-runs.js",
    "panel-repeat.js",
    "main.js",
);

/// Script of the charts, in gzip: 1.4 MB.
pub(super) const CHARTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/charts.js.gz"));

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_charts_are_complete_and_small() {
        let mut script = String::new();
        flate2::read::GzDecoder::new(CHARTS).read_to_string(&mut script).unwrap();
        assert!(script.contains("plotly.js") && script.len() > 3_000_000);
        assert!(CHARTS.len() < 2_000_000);
    }

    #[test]
    fn the_page_has_its_texts_before_any_script() {
        let (english, russian) = (localised(Lang::En), localised(Lang::Ru));
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
        let named: Vec<&str> = TEMPLATE
            .split("src=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .map(|name| name.trim_start_matches('/'))
            .collect();
        let own: Vec<&str> = SCRIPTS.iter().map(|(name, _)| *name).collect();
        assert_eq!(named, own);
    }
}
