//! The inspections of a network. The server makes a route of each; a report holds their results.

use std::collections::BTreeSet;

use axum::{
    extract::Query,
    http::{Uri, uri::InvalidUri},
};
use serde::Deserialize;
use serde_json::Value;

use super::{hub::Hub, moment::At, sample::SampleQuery};

/// What an inspection of a network found, as JSON for a panel, or a sentence why it failed.
pub(super) type InspectionResult = Result<Value, String>;

/// Parameters of an inspection, from the query of its path.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    layer: String,
    unit: Option<usize>,
    input: Option<usize>,
    picture: Option<u64>,
    row: Option<u32>,
    label: Option<usize>,
    truth: Option<usize>,
    said: Option<usize>,
    /// A step; any other text means the current one.
    moment: Option<String>,
    /// Whether a person just asked for it; the page's own refreshing does not say so.
    asked: bool,
}

impl Parameters {
    fn step(&self) -> Option<u64> {
        self.moment.as_ref().and_then(|step| step.parse().ok())
    }

    fn at(&self) -> At {
        At { step: self.step(), asked: self.asked }
    }

    /// The same for a client that may not slow a training down.
    pub(super) fn unasked(self) -> Self {
        Self { asked: false, ..self }
    }

    fn sample(&self) -> SampleQuery {
        SampleQuery { picture: self.picture, row: self.row, label: self.label }
    }
}

/// An inspection, with its route.
pub(super) struct Inspection {
    pub(super) path: &'static str,
    pub(super) compute: fn(&Hub, &Parameters) -> InspectionResult,
    /// Returns the queries whose results a report holds.
    pub(super) report_queries: fn(&Hub) -> Vec<String>,
}

impl Inspection {
    /// Computes the result for a path with its query.
    pub(super) fn result(&self, hub: &Hub, path: &str) -> InspectionResult {
        let uri: Uri = path.parse().map_err(|error: InvalidUri| error.to_string())?;
        let Query(parameters) = Query::try_from_uri(&uri).map_err(|error| error.body_text())?;
        (self.compute)(hub, &parameters)
    }
}

/// All inspections.
pub(super) const INSPECTIONS: &[Inspection] = &[
    Inspection {
        path: "/api/look/scene",
        compute: |hub, _| hub.inspect_scene(),
        report_queries: |_| queries(&[""]),
    },
    Inspection {
        path: "/api/look/film",
        compute: |hub, of| hub.inspect_film(of.step()),
        report_queries: film_steps,
    },
    Inspection {
        path: "/api/look/pass",
        compute: |hub, of| hub.inspect_pass(of.sample(), of.at()),
        report_queries: |hub| [now_and_start(hub), chosen_samples(hub)].concat(),
    },
    Inspection {
        path: "/api/look/answers",
        compute: |hub, of| hub.inspect_predictions(of.at()),
        report_queries: |hub| [queries(&[""]), film_steps(hub)].concat(),
    },
    Inspection {
        path: "/api/look/cell",
        compute: |hub, of| {
            let cell = of.truth.zip(of.said).ok_or("a cell has a true and a predicted class")?;
            hub.inspect_cell(cell, of.at())
        },
        report_queries: Hub::cells_in_report,
    },
    Inspection {
        path: "/api/look/excites",
        compute: |hub, of| hub.inspect_activation_maxima(&of.layer, of.at()),
        // Pictures take room: those of the classes are enough.
        report_queries: |_| queries(&["?layer=output", "?layer=output&moment=0"]),
    },
    Inspection {
        path: "/api/look/layers",
        compute: |hub, of| hub.inspect_layers(of.at()),
        report_queries: now_and_start,
    },
    Inspection {
        path: "/api/look/lesions",
        compute: |hub, of| hub.inspect_ablation(of.at()),
        report_queries: now_and_start,
    },
    Inspection {
        path: "/api/look/suspects",
        compute: |hub, of| hub.inspect_label_errors(of.at()),
        report_queries: now_and_start,
    },
    Inspection {
        path: "/api/look/terrain",
        compute: |hub, of| hub.inspect_loss_landscape(of.at()),
        report_queries: |_| queries(&[""]),
    },
    Inspection {
        path: "/api/look/cloud",
        compute: |hub, of| hub.inspect_projection(of.step()),
        report_queries: |hub| [queries(&["?moment=live"]), film_steps(hub)].concat(),
    },
    Inspection {
        path: "/api/look/features",
        compute: |hub, of| hub.inspect_features(&of.layer, of.at()),
        report_queries: |_| queries(&["?layer=hidden1&moment=live"]),
    },
    Inspection {
        path: "/api/look/neuron",
        compute: |hub, of| {
            let unit = of.unit.ok_or("the layer has no such unit")?;
            let sample = SampleQuery { label: None, ..of.sample() };
            hub.inspect_neuron(&of.layer, unit, sample, of.at())
        },
        report_queries: most_changed_unit,
    },
    Inspection {
        path: "/api/look/slope",
        compute: |hub, of| {
            let weight = of.unit.zip(of.input);
            hub.inspect_gradient_check(&of.layer, weight, of.sample(), of.at())
        },
        // A person chooses the weight.
        report_queries: |_| Vec::new(),
    },
    Inspection {
        path: "/api/look/motion",
        compute: |hub, of| hub.inspect_motion(of.at()),
        // Takes a live training.
        report_queries: |_| Vec::new(),
    },
];

fn queries(queries: &[&str]) -> Vec<String> {
    queries.iter().map(|&query| query.to_owned()).collect()
}

/// Queries of the current and of the initial network.
fn now_and_start(_: &Hub) -> Vec<String> {
    queries(&["", "?moment=0"])
}

/// Queries of all snapshots.
fn film_steps(hub: &Hub) -> Vec<String> {
    hub.film_steps().iter().map(|step| format!("?moment={step}")).collect()
}

/// Misclassified samples in a report, at most.
const MAX_MISTAKES: usize = 6;

/// Queries of the other pictures of the film, and of the first misclassified samples.
fn chosen_samples(hub: &Hub) -> Vec<String> {
    let scene = hub.scene().ok();
    let pictures = scene.into_iter().flat_map(|scene| &scene.rows[..scene.pictures]).skip(1);
    let predictions = hub.inspect_predictions(At::default()).unwrap_or_default();
    let mistakes = predictions["mistakes"].as_array().into_iter().flatten().take(MAX_MISTAKES);
    let mistakes = mistakes.filter_map(|sample| sample["row"].as_u64());
    let rows: BTreeSet<u64> = pictures.map(|&row| row.into()).chain(mistakes).collect();
    rows.iter().map(|row| format!("?row={row}")).collect()
}

/// Queries of the first unit in the list of features, now and at the start.
fn most_changed_unit(hub: &Hub) -> Vec<String> {
    let features = hub.inspect_features("hidden1", At::default()).unwrap_or_default();
    let unit = features["units"][0]["unit"].as_u64().unwrap_or(0);
    let query = format!("?layer=hidden1&unit={unit}");
    vec![query.clone(), query + "&moment=0"]
}
