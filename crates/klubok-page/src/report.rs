//! The page as one file that opens without a server: the same panels, with what they would have
//! asked for.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::Error;

use super::{answer::Answer, assets, hub::Hub, sample::Which, server, story::Known};

/// Unpacks the charts' script, which stands in the file as gzip.
const UNPACK: &str = r#"window.KlubokPlotly = (async () => {
  const packed = Uint8Array.from(atob(document.getElementById("charts").textContent), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  return window.Plotly;
})();"#;

/// How far a report is.
pub enum Looked {
    /// One more look is done.
    One,
    /// There will be so many.
    Of(u64),
}

/// Panels' views that every report has, for an estimate.
pub const LOOKS: u64 = 23;

/// The report of a run; `runs` is what is shown beside it. `looked` is told of each look, and of
/// how many there will be when that is known.
///
/// # Errors
/// In a sentence, when the story cannot be told.
pub fn report(
    hub: &Hub,
    runs: Result<Value, String>,
    looked: &dyn Fn(Looked),
) -> crate::Result<String> {
    let story =
        hub.after(Known::default()).map_err(|error| Error::Report { reason: error.to_string() })?;
    let mut looks: BTreeMap<String, Value> = BTreeMap::new();
    let mut keep = |path: String, answer: Answer| {
        // What a run does not have (features of a table, answers without its data) is not in the
        // report.
        looked(Looked::One);
        if let Ok(answer) = answer {
            looks.insert(path, answer);
        }
    };
    keep("/api/texts".to_owned(), Ok(server::texts()));
    keep("/api/runs".to_owned(), runs);
    keep("/api/look/pass".to_owned(), hub.look_at_pass(Which::default(), None));
    keep("/api/look/pass?moment=0".to_owned(), hub.look_at_pass(Which::default(), Some(0)));
    let answers = hub.look_at_answers(None);
    let told = answers.as_ref().ok().and_then(|told| told["mistakes"].as_array());
    let wrong: Vec<u32> = told
        .into_iter()
        .flatten()
        .filter_map(|told| told["row"].as_u64())
        .map(|row| row as u32)
        .collect();
    looked(Looked::Of(LOOKS + wrong.len() as u64));
    for row in wrong {
        let which = Which { row: Some(row), ..Which::default() };
        keep(format!("/api/look/pass?row={row}"), hub.look_at_pass(which, None));
    }
    keep("/api/look/answers".to_owned(), answers);
    keep("/api/look/answers?moment=0".to_owned(), hub.look_at_answers(Some(0)));
    keep("/api/look/map".to_owned(), hub.look_at_map(None));
    keep("/api/look/map?moment=0".to_owned(), hub.look_at_map(Some(0)));
    for (at, and, moment) in [("", "", None), ("?moment=0", "&moment=0", Some(0))] {
        // Pictures take room: those of the classes are enough.
        let excites = hub.look_at_excites("output", moment);
        keep(format!("/api/look/excites?layer=output{and}"), excites);
        keep(format!("/api/look/layers{at}"), hub.look_at_layers(moment));
        keep(format!("/api/look/lesions{at}"), hub.look_at_lesions(moment));
        keep(format!("/api/look/suspects{at}"), hub.look_at_suspects(moment));
    }
    keep("/api/look/terrain".to_owned(), hub.look_at_terrain());
    keep("/api/look/cloud?moment=live".to_owned(), hub.look_at_cloud(None));
    keep("/api/look/cloud?moment=0".to_owned(), hub.look_at_cloud(Some(0)));
    let features = hub.look_at_features("hidden1", None);
    let unit = features.as_ref().ok().and_then(|told| told["units"][0]["unit"].as_u64());
    let unit = unit.unwrap_or(0) as usize;
    for (at, moment) in [("", None), ("&moment=0", Some(0))] {
        keep(
            format!("/api/look/neuron?layer=hidden1&unit={unit}{at}"),
            hub.look_at_neuron("hidden1", unit, Which::default(), moment),
        );
    }
    keep("/api/look/features?layer=hidden1&moment=live".to_owned(), features);
    let before = hub.look_at_features("hidden1", Some(0));
    keep("/api/look/features?layer=hidden1&moment=0".to_owned(), before);
    let (run, looks) = (hub.about.told(false, false, false), json!(looks));
    Ok(in_one_file(&format!(r#"{{"run":{run},"story":{story},"looks":{looks}}}"#)))
}

/// The page with its looks, scripts, charts and data inside.
fn in_one_file(data: &str) -> String {
    let style = format!("<style>\n{}\n</style>", assets::STYLE);
    let mut page = assets::page().replace(r#"<link rel="stylesheet" href="/page.css">"#, &style);
    for (name, script) in assets::SCRIPTS {
        let tag = format!(r#"<script src="/{name}"></script>"#);
        page = page.replace(&tag, &format!("<script>\n{script}\n</script>"));
    }
    // A name in the data may be that of a tag: no `<` is left in it.
    let data = data.replace('<', "\\u003c");
    let charts = STANDARD.encode(assets::CHARTS);
    let head = format!(
        "<script type=\"application/json\" id=\"report-data\">{data}</script>\n\
         <script type=\"text/plain\" id=\"charts\">{charts}</script>\n\
         <script>{UNPACK}</script>\n</head>"
    );
    page.replacen("</head>", &head, 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_report_holds_whatever_a_panel_may_ask_the_server() {
        // What follows a person's choices, and steps that are taken for the page alone.
        const LIVE: [&str; 2] = ["motion", "slope"];
        let asked = |source: &'static str| {
            let paths = source.split("/api/look/").skip(1);
            let name = |path: &'static str| path.split(|c: char| !c.is_ascii_lowercase()).next();
            paths.filter_map(name).collect::<BTreeSet<_>>()
        };
        let own = include_str!("report.rs").split("mod tests").next().unwrap();
        let mut of_server = asked(include_str!("server.rs"));
        of_server.retain(|name| !LIVE.contains(name));
        assert!(of_server.len() > 8, "{of_server:?}");
        assert_eq!(asked(own), of_server);
    }

    #[test]
    fn a_report_needs_nothing_from_outside() {
        let hostile = "</script><img src=x onerror=alert(1)>";
        let page = in_one_file(&json!({ "run": { "name": hostile } }).to_string());
        assert!(!page.contains("src=\"/") && !page.contains("href=\"/"), "something is fetched");
        assert!(!page.contains(hostile));
        assert!(page.len() < 3_000_000, "{} bytes before any data", page.len());
        // Each script of the page ends where it should: no script, nor any data, ends one.
        let scripts = assets::SCRIPTS.len() + 3;
        assert_eq!(page.matches("</script>").count(), scripts);
    }
}
