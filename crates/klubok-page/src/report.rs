//! The page as one file that opens without a server: the same panels, with the responses that they
//! would have requested.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::Error;

use super::{
    assets, hub::Hub, inspection::InspectionResult, sample::SampleQuery, server, timeline::Offsets,
};

/// Unpacks the script of the charts, which the file holds in gzip.
const UNPACK: &str = r#"window.KlubokPlotly = (async () => {
  const packed = Uint8Array.from(atob(document.getElementById("charts").textContent), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  return window.Plotly;
})();"#;

/// Progress of a report.
pub enum ReportProgress {
    /// One more inspection is done.
    Inspected,
    /// The total number of inspections.
    Total(u64),
}

/// Inspections in every report, for an estimate; each misclassified sample adds one.
pub const MIN_INSPECTIONS: u64 = 23;

/// Writes the report of a run; `runs` is the comparison with other runs. `progress` receives each
/// inspection, and their total once it is known.
///
/// # Errors
/// When the timeline cannot be serialised.
pub fn report(
    hub: &Hub,
    runs: InspectionResult,
    progress: &dyn Fn(ReportProgress),
) -> crate::Result<String> {
    let timeline = hub
        .timeline_after(Offsets::default())
        .map_err(|error| Error::Report { reason: error.to_string() })?;
    let mut looks: BTreeMap<String, Value> = BTreeMap::new();
    let mut keep = |path: String, result: InspectionResult| {
        // The report leaves out what a run does not have, such as features of columns, or
        // predictions without its data.
        progress(ReportProgress::Inspected);
        if let Ok(json) = result {
            looks.insert(path, json);
        }
    };
    keep("/api/texts".to_owned(), Ok(server::texts()));
    keep("/api/runs".to_owned(), runs);
    let sample = SampleQuery::default();
    keep("/api/look/pass".to_owned(), hub.inspect_pass(sample, None));
    keep("/api/look/pass?moment=0".to_owned(), hub.inspect_pass(sample, Some(0)));
    let predictions = hub.inspect_predictions(None);
    let errors = predictions.as_ref().ok().and_then(|json| json["mistakes"].as_array());
    let rows: Vec<u32> = errors
        .into_iter()
        .flatten()
        .filter_map(|error| error["row"].as_u64())
        .map(|row| row as u32)
        .collect();
    progress(ReportProgress::Total(MIN_INSPECTIONS + rows.len() as u64));
    for row in rows {
        let query = SampleQuery { row: Some(row), ..SampleQuery::default() };
        keep(format!("/api/look/pass?row={row}"), hub.inspect_pass(query, None));
    }
    keep("/api/look/answers".to_owned(), predictions);
    keep("/api/look/answers?moment=0".to_owned(), hub.inspect_predictions(Some(0)));
    keep("/api/look/map".to_owned(), hub.inspect_decision_map(None));
    keep("/api/look/map?moment=0".to_owned(), hub.inspect_decision_map(Some(0)));
    for (at, and, step) in [("", "", None), ("?moment=0", "&moment=0", Some(0))] {
        // Pictures take room: those of the classes are enough.
        let maxima = hub.inspect_activation_maxima("output", step);
        keep(format!("/api/look/excites?layer=output{and}"), maxima);
        keep(format!("/api/look/layers{at}"), hub.inspect_layers(step));
        keep(format!("/api/look/lesions{at}"), hub.inspect_ablation(step));
        keep(format!("/api/look/suspects{at}"), hub.inspect_label_errors(step));
    }
    keep("/api/look/terrain".to_owned(), hub.inspect_loss_landscape());
    keep("/api/look/cloud?moment=live".to_owned(), hub.inspect_projection(None));
    keep("/api/look/cloud?moment=0".to_owned(), hub.inspect_projection(Some(0)));
    let features = hub.inspect_features("hidden1", None);
    let unit = features.as_ref().ok().and_then(|json| json["units"][0]["unit"].as_u64());
    let unit = unit.unwrap_or(0) as usize;
    for (and, step) in [("", None), ("&moment=0", Some(0))] {
        keep(
            format!("/api/look/neuron?layer=hidden1&unit={unit}{and}"),
            hub.inspect_neuron("hidden1", unit, sample, step),
        );
    }
    keep("/api/look/features?layer=hidden1&moment=live".to_owned(), features);
    let initial_features = hub.inspect_features("hidden1", Some(0));
    keep("/api/look/features?layer=hidden1&moment=0".to_owned(), initial_features);
    let (run, looks) = (hub.run.to_json(false, false, false), json!(looks));
    Ok(in_one_file(&format!(r#"{{"run":{run},"story":{timeline},"looks":{looks}}}"#)))
}

/// Writes the page with style, scripts, charts and data inline.
fn in_one_file(data: &str) -> String {
    let style = format!("<style>\n{}\n</style>", assets::STYLE);
    let mut page = assets::page().replace(r#"<link rel="stylesheet" href="/page.css">"#, &style);
    for (name, script) in assets::SCRIPTS {
        let tag = format!(r#"<script src="/{name}"></script>"#);
        page = page.replace(&tag, &format!("<script>\n{script}\n</script>"));
    }
    // Escape every `<`: the data may contain tags.
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
    fn a_report_holds_every_inspection_of_the_server() {
        // These need a live training, or depend on a person's choice.
        const LIVE: [&str; 2] = ["motion", "slope"];
        let requested = |source: &'static str| {
            let paths = source.split("/api/look/").skip(1);
            let name = |path: &'static str| path.split(|c: char| !c.is_ascii_lowercase()).next();
            paths.filter_map(name).collect::<BTreeSet<_>>()
        };
        let own = include_str!("report.rs").split("mod tests").next().unwrap();
        let mut of_server = requested(include_str!("server.rs"));
        of_server.retain(|name| !LIVE.contains(name));
        assert!(of_server.len() > 8, "{of_server:?}");
        assert_eq!(requested(own), of_server);
    }

    #[test]
    fn a_report_is_self_contained_and_escapes_its_data() {
        let hostile = "</script><img src=x onerror=alert(1)>";
        let page = in_one_file(&json!({ "run": { "name": hostile } }).to_string());
        assert!(
            !page.contains("src=\"/") && !page.contains("href=\"/"),
            "the file fetches another one"
        );
        assert!(!page.contains(hostile));
        assert!(page.len() < 3_000_000, "{} bytes before any data", page.len());
        // No script and no data ends a script early.
        let scripts = assets::SCRIPTS.len() + 3;
        assert_eq!(page.matches("</script>").count(), scripts);
    }
}
