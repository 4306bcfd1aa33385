//! Static files of the page.

use std::sync::LazyLock;

use klubok_text::{Lang, language, page_texts};

/// The page, without texts.
const TEMPLATE: &str = concat!(include_str!("web/head.html"), include_str!("web/page.html"));
/// The page of a race, without texts.
const RACE: &str = concat!(include_str!("web/head.html"), include_str!("web/race.html"));

/// Returns the page in the language of the command: readable even before its scripts run.
pub(super) fn page() -> &'static str {
    static PAGE: LazyLock<String> = LazyLock::new(|| localised(TEMPLATE, language()));
    &PAGE
}

/// Returns the page of a race.
pub(super) fn race() -> &'static str {
    static PAGE: LazyLock<String> = LazyLock::new(|| localised(RACE, language()));
    &PAGE
}

fn localised(template: &str, lang: Lang) -> String {
    let name = match lang {
        Lang::En => "en",
        Lang::Ru => "ru",
    };
    let mut page = template.replacen("<html>", &format!("<html lang=\"{name}\">"), 1);
    for (key, text) in page_texts(lang) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let label = format!("data-t-label=\"{key}\"");
        page = page.replace(&label, &format!("{label} aria-label=\"{text}\""));
        page = page.replace(&format!("data-t=\"{key}\">"), &format!("data-t=\"{key}\">{text}"));
    }
    page
}

/// Style of the page of a race.
pub(super) const RACE_STYLE: &str = concat!(
    include_str!("web/page.css"),
    include_str!("web/stage.css"),
    include_str!("web/race.css")
);

/// Style of the page.
pub(super) const STYLE: &str = concat!(include_str!("web/page.css"), include_str!("web/stage.css"));

macro_rules! scripts {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("web/", $name)))),*] };
}

/// Further scripts, of the page of a race.
pub(super) const RACE_SCRIPTS: &[(&str, &str)] =
    scripts!("lane.js", "race-chart.js", "race-sentence.js", "race-state.js", "race.js");

/// Scripts of the page: modules that import each other. `types.js` has no code.
pub(super) const SCRIPTS: &[(&str, &str)] = scripts!(
    "acts.js",
    "answers-cell.js",
    "answers-values.js",
    "api.js",
    "chart.js",
    "chosen.js",
    "dialogs.js",
    "draw.js",
    "figure.js",
    "film-frame.js",
    "film.js",
    "flow-marks.js",
    "gif.js",
    "lines.js",
    "looks.js",
    "main.js",
    "moments.js",
    "network-columns.js",
    "network-drawing.js",
    "network-thread.js",
    "panel-answers.js",
    "panel-cloud.js",
    "panel-curves.js",
    "panel-data.js",
    "panel-excites.js",
    "panel-features.js",
    "panel-layers.js",
    "panel-lesions.js",
    "panel-motion.js",
    "panel-network.js",
    "panel-neuron.js",
    "panel-picture.js",
    "panel-repeat.js",
    "panel-runs.js",
    "panel-sentence.js",
    "panel-status.js",
    "panel-suspects.js",
    "panel-terrain.js",
    "pace.js",
    "panels.js",
    "phases.js",
    "plane.js",
    "player.js",
    "proof.js",
    "readers.js",
    "rove.js",
    "save-film.js",
    "says.js",
    "snapshot.js",
    "stage-flow.js",
    "stage-grid.js",
    "stage-network.js",
    "stage-picture.js",
    "stage-sentence.js",
    "stage-tiles.js",
    "stage.js",
    "state.js",
    "strip.js",
    "tabs.js",
    "target.js",
    "text.js",
    "theme.js",
);

/// Returns the text of a script.
#[cfg(test)]
pub(super) fn script(name: &str) -> &'static str {
    SCRIPTS.iter().find(|(own, _)| *own == name).unwrap().1
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    #[test]
    fn the_page_has_its_texts_before_any_script() {
        let (english, russian) = [Lang::En, Lang::Ru].map(|lang| localised(TEMPLATE, lang)).into();
        assert!(english.starts_with("<!doctype html>\n<html lang=\"en\">"));
        assert!(russian.starts_with("<!doctype html>\n<html lang=\"ru\">"));
        let title = r#"<h2 id="title-help" data-t="page.help">"#;
        assert!(english.contains(&format!("{title}Help</h2>")));
        assert!(russian.contains(&format!("{title}Справка</h2>")));
        for page in [english, russian, localised(RACE, Lang::En), localised(RACE, Lang::Ru)] {
            let mut texts = page.split("data-t=\"").skip(1);
            assert!(texts.all(|text| !text.split_once("\">").unwrap().1.starts_with('<')));
        }
    }

    #[test]
    fn every_script_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
        let files = fs_err::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let scripts = files.filter(|file| file.extension().is_some_and(|kind| kind == "js"));
        let mut there: BTreeSet<String> =
            scripts.map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert!(there.remove("types.js"));
        let all = SCRIPTS.iter().chain(RACE_SCRIPTS);
        assert_eq!(there, all.map(|(name, _)| (*name).to_owned()).collect());
        assert!(TEMPLATE.contains(r#"<script type="module" src="/main.js"></script>"#));
        assert!(RACE.contains(r#"<script type="module" src="/race.js"></script>"#));
    }
}
