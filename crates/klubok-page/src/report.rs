//! The page as one file that opens without a server: the same panels, with the responses that they
//! would have requested.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::Error;

use super::{
    assets,
    hub::Hub,
    inspection::{INSPECTIONS, Inspection},
    lock::lock,
    server,
    timeline::Offsets,
};

/// Pixels on each side of a tile in a report: a film of sixty snapshots has many of them.
const MAX_TILE_SIDE: usize = 32;

/// Writes the report of a run; `runs` is the comparison with other runs. `progress` receives the
/// number of results so far, and their total.
///
/// # Errors
/// When the timeline cannot be serialised.
pub fn report(
    hub: &Hub,
    runs: Result<Value, String>,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> crate::Result<String> {
    hub.pack_tiles(MAX_TILE_SIDE);
    let timeline = hub
        .timeline_after(Offsets::default())
        .map_err(|error| Error::Report { reason: error.to_string() })?;
    let all: Vec<&Inspection> = INSPECTIONS.iter().collect();
    let queries = in_parallel(&all, |inspection| (inspection.report_queries)(hub));
    let requests: Vec<(&Inspection, String)> = all
        .into_iter()
        .zip(queries)
        .flat_map(|(of, queries)| {
            queries.into_iter().map(move |query| (of, of.path.to_owned() + &query))
        })
        .collect();
    let mut looks = results(hub, &requests, progress);
    looks.insert("/api/texts".to_owned(), server::texts());
    looks.extend(runs.map(|runs| ("/api/runs".to_owned(), runs)));
    let (run, looks) = (hub.run.to_json(false, false, false), json!(looks));
    in_one_file(&format!(r#"{{"run":{run},"story":{timeline},"looks":{looks}}}"#))
        .map_err(|error| Error::Report { reason: error.to_string() })
}

/// Computes inspections by path. Leaves out what a run does not have, such as features of columns,
/// or predictions without its data.
fn results(
    hub: &Hub,
    requests: &[(&Inspection, String)],
    progress: &(dyn Fn(u64, u64) + Sync),
) -> BTreeMap<String, Value> {
    let done = AtomicU64::new(0);
    let results = in_parallel(requests, |(inspection, path)| {
        let result = inspection.result(hub, path);
        progress(1 + done.fetch_add(1, Relaxed), requests.len() as u64);
        result.ok().map(|json| (path.clone(), json))
    });
    results.into_iter().flatten().collect()
}

/// Computes something of each item, on all processors, and returns it in order.
fn in_parallel<T: Sync, R: Send>(items: &[T], compute: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let computed = Mutex::new(Vec::new());
    let work = || {
        while let i = next.fetch_add(1, Relaxed)
            && let Some(item) = items.get(i)
        {
            let result = compute(item);
            lock(&computed).push((i, result));
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        for _ in 1..threads {
            // Where the system has no thread left, this one does it all.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut computed = computed.into_inner().unwrap_or_else(PoisonError::into_inner);
    computed.sort_by_key(|(i, _)| *i);
    computed.into_iter().map(|(_, result)| result).collect()
}

/// Writes the page with style, scripts and data inline.
fn in_one_file(data: &str) -> io::Result<String> {
    let style = format!("<style>\n{}\n</style>", assets::STYLE);
    let page = assets::page().replace(r#"<link rel="stylesheet" href="/page.css">"#, &style);
    let entry = r#"<script type="module" src="/main.js"></script>"#;
    let start = format!("<script type=\"module\">import \"{}\";</script>", bare("main.js"));
    // Packed, it has no tags, and takes a third of the room.
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(data.as_bytes())?;
    let data = STANDARD.encode(packed.finish()?);
    let head = format!(
        "<script type=\"importmap\">{}</script>\n\
         <script type=\"text/plain\" id=\"report-data\">{data}</script>\n</head>",
        json!({ "imports": modules() }),
    );
    Ok(page.replacen(entry, &start, 1).replacen("</head>", &head, 1))
}

/// The scripts, without comments, as addresses by their bare names. A module of a file has no place
/// that `./` could start from, so modules import each other by these names.
fn modules() -> BTreeMap<String, String> {
    let rewritten = |script: &str| {
        assets::SCRIPTS.iter().fold(without_comments(script), |script, (name, _)| {
            script.replace(&format!("\"./{name}\""), &format!("\"{}\"", bare(name)))
        })
    };
    let address = |script: &str| {
        format!("data:text/javascript;base64,{}", STANDARD.encode(rewritten(script)))
    };
    assets::SCRIPTS.iter().map(|(name, script)| (bare(name), address(script))).collect()
}

/// Removes the comments that have lines of their own: a quarter of the scripts.
fn without_comments(script: &str) -> String {
    let mut is_in_block = false;
    let is_code = |line: &&str| {
        let line = line.trim();
        // A type may stand before code.
        let begins = line.starts_with("/**") && (line.ends_with("*/") || !line.contains("*/"));
        let is_comment = is_in_block || begins || line.starts_with("//");
        is_in_block = (is_in_block || begins) && !line.contains("*/");
        !is_comment
    };
    script.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

/// The name of a script in the import map.
fn bare(name: &str) -> String {
    format!("klubok/{name}")
}

#[cfg(test)]
mod tests {
    use klubok::{
        Settings,
        data::{self, OpenOptions},
        train::{
            control::Control,
            run_dir::{Place, RunDir},
            run_info::RunInfo,
            session,
        },
    };

    use super::*;

    /// Trains a small network on a built-in set, and returns what the report of the run holds: its
    /// panels, and the results of inspections by their paths.
    fn report_of(source: &str, hidden: &[usize]) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new().hidden(hidden).epochs(3).batch_size(128);
        let own = klubok::open(source, &settings).unwrap();
        let config = settings.for_data(&own).unwrap();
        let options = OpenOptions::new(config.data.clone());
        let fingerprint = data::fingerprint(source, &options).unwrap();
        let info = RunInfo {
            klubok: String::new(),
            data: source.to_owned(),
            val: None,
            test: None,
            preset: None,
            replay: Vec::new(),
            fingerprint: toml::Table::try_from(&fingerprint).unwrap(),
        };
        let place = folder.path().join("run");
        let run = RunDir::create(Place::Folder(&place), &config, &info).unwrap();
        let backend = klubok::device::cpu(1);
        session::train(&run, &config, &own, backend.as_ref(), &mut [], &info, &Control::new())
            .unwrap();
        let hub = crate::follow(&run, Some(own)).unwrap().hub;
        let page = report(&hub, hub.sibling_runs(), &|_, _| {}).unwrap();
        let head = "<script type=\"text/plain\" id=\"report-data\">";
        let kept = page.split(head).nth(1).unwrap().split("</script>").next().unwrap();
        let packed = STANDARD.decode(kept).unwrap();
        serde_json::from_reader(flate2::read::GzDecoder::new(&packed[..])).unwrap()
    }

    /// Whether a panel applies to the run, and whether the report holds its inspection.
    fn panel(kept: &Value, name: &str) -> (bool, bool) {
        let shown = kept["run"]["panels"].as_array().unwrap().iter().any(|shown| shown == name);
        let look = format!("/api/look/{name}");
        let looks = kept["looks"].as_object().unwrap();
        (shown, looks.keys().any(|path| path.split('?').next() == Some(&look)))
    }

    #[test]
    fn a_report_of_numbers_shows_their_errors_and_nothing_of_classes() {
        let kept = report_of("demo:curve", &[8]);
        assert_eq!(kept["run"]["data"]["target"], "number");
        for absent in ["features", "excites", "layers", "cloud", "lesions", "suspects"] {
            assert_eq!(panel(&kept, absent), (false, false), "{absent}");
        }
        for there in ["answers", "neuron"] {
            assert_eq!(panel(&kept, there), (true, true), "{there}");
        }
        let answers = &kept["looks"]["/api/look/answers"];
        assert!(answers["rmse"].as_f64() >= answers["mae"].as_f64(), "{answers}");
        assert_eq!(answers["pairs"].as_array().unwrap().len(), 250);
        let pass = &kept["looks"]["/api/look/pass"];
        // The same sample, on the device and in the page's own f64.
        let pair = &answers["pairs"][0];
        assert_eq!(pair[0], pass["targets"][0]);
        let apart = pair[1].as_f64().unwrap() - pass["confidences"][0].as_f64().unwrap();
        assert!(apart.abs() < 1e-5, "{pair} {pass}");
        let run = &kept["looks"]["/api/runs"]["runs"][0];
        assert!(run["best_val_r2"].is_number() && run["best_val_accuracy"].is_null(), "{run}");
    }

    #[test]
    fn a_report_of_labels_shows_each_of_them_and_nothing_of_classes() {
        let kept = report_of("demo:marks", &[8]);
        assert_eq!(kept["run"]["data"]["target"], "label");
        for absent in ["layers", "cloud", "lesions", "suspects"] {
            assert_eq!(panel(&kept, absent), (false, false), "{absent}");
        }
        for there in ["answers", "neuron", "features", "excites"] {
            assert_eq!(panel(&kept, there), (true, true), "{there}");
        }
        let labels = kept["looks"]["/api/look/answers"]["per_label"].as_array().unwrap();
        let support: Vec<&Value> = labels.iter().map(|label| &label["support"]).collect();
        assert_eq!(json!(support), kept["run"]["data"]["val"]);
        assert!(labels.iter().all(|label| label["average_precision"].is_number()));
        let targets = &kept["looks"]["/api/look/pass"]["targets"];
        assert!(targets.as_array().unwrap().iter().all(|y| *y == 0.0 || *y == 1.0), "{targets}");
    }

    fn list(of: &Value) -> &[Value] {
        of.as_array().unwrap()
    }

    #[test]
    fn a_pass_shows_the_units_and_the_edges_of_a_drawing() {
        let kept = report_of("demo:spirals", &[40, 8]);
        let pass = &kept["looks"]["/api/look/pass"];
        let (layers, back) = (list(&pass["layers"]), list(&pass["backward"]["layers"]));
        let drawn = |of: &Value| -> Vec<u64> {
            list(of).iter().map(|unit| unit["unit"].as_u64().unwrap()).collect()
        };
        let columns: Vec<Vec<u64>> = std::iter::once(&pass["inputs"])
            .chain(layers.iter().map(|layer| &layer["drawn"]))
            .map(drawn)
            .collect();
        assert_eq!(columns.iter().map(Vec::len).collect::<Vec<_>>(), [2, 12, 8, 2]);
        for (i, (layer, back)) in layers.iter().zip(back).enumerate() {
            for (edges, end) in [(&layer["edges"], 1), (&back["edges"], 0)] {
                let edges = list(edges);
                assert!(!edges.is_empty());
                for edge in edges {
                    let same = edges.iter().filter(|other| other[end] == edge[end]).count();
                    assert!(same <= 3, "{edge}");
                    assert!(columns[i].contains(&edge[0].as_u64().unwrap()), "{edge}");
                    assert!(columns[i + 1].contains(&edge[1].as_u64().unwrap()), "{edge}");
                }
            }
        }
        // The error at the output is p - y, and none comes through a shut gate.
        let last = back.last().unwrap();
        for ((unit, delta), p) in
            columns[3].iter().zip(list(&last["deltas"])).zip(list(&pass["probabilities"]))
        {
            let y = f64::from(pass["label"].as_u64() == Some(*unit));
            assert!((delta.as_f64().unwrap() - (p.as_f64().unwrap() - y)).abs() < 1e-12);
        }
        for (layer, back) in layers.iter().zip(back).take(2) {
            for (unit, delta) in list(&layer["drawn"]).iter().zip(list(&back["deltas"])) {
                assert_eq!(unit["value"] == 0.0, delta.as_f64() == Some(0.0), "{unit} {delta}");
            }
            assert!(back["norm"].as_f64() <= back["arrives"].as_f64());
            assert!(back["open"].as_u64() <= layer["units"].as_u64());
        }
    }

    #[test]
    fn the_cells_of_a_report_have_the_samples_that_the_matrix_counts() {
        let kept = report_of("demo:spirals", &[4]);
        let counts = list(&kept["looks"]["/api/look/answers"]["confusion"]);
        let mut shown = 0;
        for (truth, row) in counts.iter().enumerate() {
            for (said, count) in list(row).iter().enumerate() {
                let cell = &kept["looks"][format!("/api/look/cell?truth={truth}&said={said}")];
                let samples = cell["samples"].as_array().map_or(0, Vec::len) as u64;
                assert_eq!(samples, count.as_u64().unwrap().min(24), "{truth} {said}");
                if samples > 0 {
                    assert_eq!(&cell["of"], count);
                }
                shown += samples;
            }
        }
        assert!(shown > 24);
    }

    #[test]
    fn a_report_is_self_contained_and_escapes_its_data() {
        let hostile = "</script><img src=x onerror=alert(1)>";
        let page = in_one_file(&json!({ "run": { "name": hostile } }).to_string()).unwrap();
        assert!(
            !page.contains("src=\"/") && !page.contains("href=\"/"),
            "the file fetches another one"
        );
        assert!(!page.contains(hostile));
        assert!(page.len() < 400_000, "{} bytes before any data", page.len());
        // No script and no data ends a script early: import map, data, and the start.
        assert_eq!(page.matches("</script>").count(), 3);
        assert!(page.contains(r#"import "klubok/main.js";"#));
    }

    #[test]
    fn modules_of_a_report_import_each_other_by_name() {
        let modules = modules();
        for (name, address) in &modules {
            let (_, text) = address.split_once("base64,").unwrap();
            let script = String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
            let imports = script.lines().filter(|line| line.starts_with("import "));
            for import in imports {
                let imported = import.rsplit('"').nth(1).unwrap();
                assert!(modules.contains_key(imported), "{name}: {import}");
            }
            let exports = |script: &str| script.matches("\nexport ").count();
            let own = assets::SCRIPTS.iter().find(|(own, _)| bare(own) == *name).unwrap().1;
            assert_eq!(exports(&script), exports(own), "{name}");
            assert!(!script.contains("from \"./"), "{name}");
            assert!(!script.contains("@param") && !script.contains("@import"), "{name}");
            assert!(!script.contains("import(\""), "{name} loads a module later");
        }
    }
}
