//! The page as one file that opens without a server: the same panels, with the responses that they
//! would have requested.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::Error;

use super::{assets, hub::Hub, inspection::INSPECTIONS, server, timeline::Offsets};

/// Unpacks the script of the charts, which the file holds in gzip.
const UNPACK: &str = r#"window.KlubokPlotly = (async () => {
  const packed = Uint8Array.from(atob(document.getElementById("charts").textContent), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  return window.Plotly;
})();"#;

/// Writes the report of a run; `runs` is the comparison with other runs. `progress` receives the
/// number of results so far, and their total.
///
/// # Errors
/// When the timeline cannot be serialised.
pub fn report(
    hub: &Hub,
    runs: Result<Value, String>,
    progress: &dyn Fn(u64, u64),
) -> crate::Result<String> {
    let timeline = hub
        .timeline_after(Offsets::default())
        .map_err(|error| Error::Report { reason: error.to_string() })?;
    let mut requests = Vec::new();
    for inspection in INSPECTIONS {
        let queries = (inspection.report_queries)(hub).into_iter();
        requests.extend(queries.map(|query| (inspection, inspection.path.to_owned() + &query)));
    }
    let total = requests.len() as u64;
    let mut looks = BTreeMap::from([("/api/texts".to_owned(), server::texts())]);
    looks.extend(runs.map(|runs| ("/api/runs".to_owned(), runs)));
    for (done, (inspection, path)) in (1..).zip(requests) {
        // The report leaves out what a run does not have, such as features of columns, or
        // predictions without its data.
        looks.extend(inspection.result(hub, &path).map(|json| (path, json)));
        progress(done, total);
    }
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
    use super::*;

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
