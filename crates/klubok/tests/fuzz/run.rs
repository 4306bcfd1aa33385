//! The files of a run: settings, checkpoint and logs. None of them is trusted.

use klubok::{
    config::{Config, ConfigBuilder, DataKind, Machine, Preset},
    data::parse_split,
    diagnose::{
        Diagnosis,
        history::{self, Row},
    },
    nn::network::Network,
    optim::{Rule, UpdateSpec},
    plan::{Augment, InputSpec, LossSpec, Plan},
    state::{Numbers, State, StateTensor, Weights},
    train::{
        act::{Act, RecordedAct},
        checkpoint::{self, Contents, Settings},
        event::{EventLine, LayerMetrics, Metrics},
        film::{Bytes, Matrix, Snapshot},
        log::Marks,
        logs::{EVENTS, Logs, METRICS, STEPS},
        meter::Meter,
        progress::Progress,
        run_dir::CONFIG,
        run_info::RunInfo,
        trainer::Checkpoint,
    },
};
use std::{borrow::Cow, path::Path};
use twox_hash::XxHash3_128;

use klubok_fuzz::{fast_folder, fuzz};

fn config(sets: &[&str]) -> Config {
    let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Pictures);
    sets.iter().for_each(|set| builder.assign(set).unwrap());
    builder.resolve(&Machine::plain(2)).unwrap().config
}

fn info() -> RunInfo {
    RunInfo {
        klubok: "0.1.0".into(),
        data: "demo:spirals".into(),
        val: None,
        test: None,
        preset: None,
        replay: vec![RecordedAct { step: 3, act: Act::LearningRate { rate: 0.01 } }],
        fingerprint: toml::Table::new(),
    }
}

#[test]
fn settings_of_a_run() {
    let seeds: Vec<Vec<u8>> =
        [config(&[]), config(&["model.dropout=0.1,0.2", "train.optimizer=sgd"])]
            .map(|config| config.to_toml().into_bytes())
            .into();
    let words: [&[u8]; 4] = [b"\"auto\"", b"[]", b"nan", b"-1"];
    fuzz("settings-of-a-run", &seeds, &words, |bytes| {
        let read = |text: &str| {
            ConfigBuilder::parse_run(text, "config.toml").ok().map(|resolved| resolved.config)
        };
        if let Some(config) = std::str::from_utf8(bytes).ok().and_then(read) {
            // Accepted settings are in range: they can build a network and its update rule.
            assert_eq!(read(&config.to_toml()).as_ref(), Some(&config));
            assert!(config.train.learning_rate > 0.0 && config.train.threads >= 1);
            assert!((1..=4096).contains(&config.data.size) && config.train.epochs >= 1);
            if config.model.hidden.iter().sum::<usize>() < 5000 {
                config.network(9, 2);
            }
        }
    });
}

fn plan(config: &Config) -> Plan {
    let prepare =
        InputSpec { factor: vec![], offset: vec![], picture: None, augment: Augment::default() };
    let network: Network = config.network(3, 2);
    network.lower(prepare, LossSpec::CROSS_ENTROPY, config.update_spec(), 0)
}

/// Writes the checkpoint of a small training; returns its bytes.
fn written(config: &Config, plan: &Plan, progress: &Progress) -> Vec<u8> {
    let numbers = |len: usize| Numbers::F32((0..len).map(|i| i as f32 / 7.0).collect());
    let params: Vec<Numbers> = plan.params.iter().map(|spec| numbers(spec.len())).collect();
    let running: Vec<Numbers> = plan.running.iter().map(|spec| numbers(spec.len)).collect();
    let moments = plan.update.rule.moments().iter().map(|_| params.clone()).collect();
    let best = Weights { params: params.clone(), running: running.clone() };
    let state = State { params, moments, running };
    let settings = Settings::new(config, &info());
    let tensor = |tensor: StateTensor| Ok(Cow::Borrowed(state.tensor(tensor)));
    let contents = Contents { settings: &settings, progress, best: &best, state: &tensor };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c");
    checkpoint::write(&path, &contents, Marks::default(), plan).unwrap();
    fs_err::read(path).unwrap()
}

/// Corrects the seal of a file.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let body = &bytes[..bytes.len().saturating_sub(16)];
    [body, &XxHash3_128::oneshot(body).to_le_bytes()].concat()
}

#[test]
fn checkpoints() {
    let config = config(&["model.hidden=3", "model.batch_norm=true"]);
    let (plan, settings) = (plan(&config), Settings::new(&config, &info()));
    assert!(matches!(plan.update, UpdateSpec { rule: Rule::Adam { .. }, .. }));
    let meter = Meter::new(&plan);
    let progress = Progress {
        step: 7,
        epoch: 2,
        position: 1,
        steps_per_epoch: 3,
        best: Some(serde_json::from_str(
            r#"{"epoch":1,"train_loss":0.5,"train_accuracy":0.5,"val_loss":0.5,"val_accuracy":0.5}"#,
        )
        .unwrap()),
        epoch_meter: meter.clone(),
        step_meter: meter,
        ..Progress::default()
    };
    let good = written(&config, &plan, &progress);
    let read = |bytes: &[u8]| checkpoint::from_bytes(Path::new("c"), bytes, &plan, &settings);
    let whole: Checkpoint = read(&good).unwrap().0;
    let words: [&[u8]; 5] =
        [b"\\\"step\\\":", b"\\\"epoch\\\":", b"\\\"steps_per_epoch\\\":0", b"[]", b"null"];
    // Damage: only the original file is accepted.
    fuzz("checkpoint", std::slice::from_ref(&good), &words, |bytes| {
        if let Ok((checkpoint, _)) = read(bytes) {
            assert!(bytes == good && checkpoint == whole, "a damaged checkpoint was accepted");
        }
    });
    // Forgery: an accepted checkpoint is consistent.
    fuzz("checkpoint-sealed", std::slice::from_ref(&good), &words, |bytes| {
        if let Ok((checkpoint, _)) = read(&sealed(bytes)) {
            let Progress { step, epoch, position, steps_per_epoch, .. } = checkpoint.progress;
            assert_eq!(step, epoch * steps_per_epoch + position);
            assert!(epoch <= config.train.epochs);
            assert_eq!(checkpoint.state.params.len(), plan.params.len());
        }
    });
}

#[test]
fn snapshots_of_a_film() {
    let matrix = |width, values: &[f32]| Matrix { width, values: values.to_vec() };
    let layer = LayerMetrics { name: "output".into(), ..LayerMetrics::default() };
    let snapshot = Snapshot {
        step: 3,
        epoch: 0.5,
        layers: vec![layer],
        tiles: Some(Bytes::of(vec![2, 1, 2, 1], &[0.5, -1.0, 0.0, 0.25])),
        outputs: matrix(2, &[1.0, -1.0]),
        edges: [("output".to_owned(), matrix(1, &[2.0, 3.0]))].into(),
        weights: Some(Weights { params: vec![Numbers::F32(vec![1.0])], running: vec![] }),
        ..Snapshot::default()
    };
    let good = snapshot.to_bytes().unwrap();
    let words: [&[u8]; 4] = [b"\\\"step\\\":", b"\\\"params\\\":9", b"[]", b"null"];
    let read = |bytes: &[u8]| Snapshot::from_bytes(Path::new("film"), bytes);
    fuzz("snapshot", std::slice::from_ref(&good), &words, |bytes| {
        if let Ok(other) = read(bytes) {
            assert!(bytes == good && other == snapshot, "a damaged snapshot was accepted");
        }
    });
    // Forgery: an accepted snapshot can be written again.
    fuzz("snapshot-sealed", std::slice::from_ref(&good), &words, |bytes| {
        if let Ok(other) = read(&sealed(bytes)) {
            other.to_bytes().unwrap();
        }
    });
}

#[test]
fn lines_of_logs() {
    let metrics =
        serde_json::to_vec(&Metrics { step: 3, val_loss: Some(0.5), ..Metrics::default() });
    let acts = [
        &br#"{"step":3,"epoch":0.5,"event":"person","act":"learning_rate","rate":0.01}"#[..],
        br#"{"step":3,"epoch":0.5,"event":"person","act":"stop"}"#,
        br#"{"step":3,"epoch":0.5,"event":"start","device":"cpu","kernel":"avx2"}"#,
    ];
    let seeds: Vec<Vec<u8>> =
        acts.iter().map(|act| act.to_vec()).chain([metrics.unwrap(), acts.join(&b'\n')]).collect();
    let folder = fast_folder();
    let log = folder.path().join(EVENTS);
    fuzz("lines-of-logs", &seeds, &[b"1e-46", b"1e39"], |bytes| {
        fs_err::write(&log, bytes).unwrap();
        let (at, keep) = (Progress::default(), Marks::default());
        if let Ok((logs, pending)) = Logs::resume(folder.path(), keep, &at, &[]) {
            let mut ahead = logs.ahead().to_vec();
            ahead.sort_by_key(|act| act.step);
            assert_eq!(pending, ahead);
            assert!(pending.iter().all(|act| act.act.changes_weights()));
            // Exactly the acts of people remain.
            drop(logs);
            let acts = Logs::acts(folder.path()).unwrap();
            assert_eq!(fs_err::read(&log).unwrap().split(|&b| b == b'\n').count(), acts.len() + 1);
        }
        let Ok(line) = serde_json::from_slice::<EventLine>(bytes) else { return };
        let text = serde_json::to_string(&line).unwrap();
        if let Some(rate) = text.split("\"rate\":").nth(1) {
            let rate: f64 = rate.trim_end_matches('}').parse().unwrap();
            assert!(rate as f32 > 0.0 && (rate as f32).is_finite(), "{text}");
        }
    });
}

/// Makes lines of metrics of epochs, or of steps within one, with two layers.
fn lines_of_metrics(epochs: impl Iterator<Item = f64>) -> Vec<u8> {
    let layer = |name: &str, share| LayerMetrics {
        name: name.to_owned(),
        grad_norm: Some(share),
        weight_norm: 3.0,
        update_ratio: Some(1e-3),
        active_fraction: Some(share),
        silent_fraction: Some(1.0 - share),
        dead_fraction: Some(1.0 - share),
        saturated_fraction: Some(share),
        distance_from_start: Some(share),
        histogram: None,
    };
    let line = |epoch: f64| Metrics {
        epoch,
        step: (8.0 * epoch) as u64,
        train_loss: Some(1.0 / (1.0 + epoch)),
        train_eval_loss: Some(1.0 / (1.0 + epoch)),
        val_loss: Some(1.0 + epoch / 9.0),
        train_accuracy: Some(0.5),
        val_accuracy: Some(0.4),
        learning_rate: Some(0.1),
        grad_norm: Some(1.0),
        prediction_spread: Some(0.1),
        layers: ["hidden1", "output"].map(|name| layer(name, 1.0 / (2.0 + epoch))).into(),
        ..Metrics::default()
    };
    epochs
        .flat_map(|epoch| [&serde_json::to_vec(&line(epoch)).unwrap()[..], b"\n"].concat())
        .collect()
}

#[test]
fn logs_of_metrics_and_events() {
    let folder = fast_folder();
    fs_err::write(folder.path().join(CONFIG), "[run]\n").unwrap();
    let whole = || (0..12).map(f64::from);
    let events = br#"{"step":9,"epoch":1,"event":"stopped","reason":"diverged"}"#;
    let texts =
        [lines_of_metrics(whole()), lines_of_metrics(whole().map(|i| i / 8.0)), events.to_vec()];
    let words: [&[u8]; 6] = [
        b"null",
        b"1e308",
        b"-1",
        b"\n",
        b"\"layers\":[]",
        b"\"layers\":[{\"name\":\"\",\"weight_norm\":0}]",
    ];
    // Fuzzes one log at a time; the others stay valid.
    for (name, text) in [METRICS, STEPS, EVENTS].into_iter().zip(&texts) {
        for (name, text) in [METRICS, STEPS, EVENTS].into_iter().zip(&texts) {
            fs_err::write(folder.path().join(name), [&text[..], b"\n"].concat()).unwrap();
        }
        fuzz(&format!("judged-{name}"), std::slice::from_ref(text), &words, |bytes| {
            fs_err::write(folder.path().join(name), bytes).unwrap();
            let Ok(history) = history::read(folder.path()) else { return };
            let diagnosis = Diagnosis::from_history(&history);
            let validated = |row: &&Row| row.val_loss.is_some_and(f64::is_finite);
            let best = diagnosis
                .best_epoch
                .map(|best| history.epochs.iter().find(|row| row.epoch == best));
            assert!(best.is_none_or(|row| row.as_ref().is_some_and(validated)), "not validated");
            assert!(serde_json::to_string(&diagnosis).is_ok());
        });
    }
}

#[test]
fn split_records() {
    let seed =
        b"row,part,class,name,hash\n0,train,cat,cat/1.jpg,000000000000000000000000000000ff\n\
          1,val,\"a,b\",x,ffffffffffffffffffffffffffffffff\n"
            .to_vec();
    fuzz(
        "records-of-rows",
        &[seed],
        &[b"\"", b"train", b"ffffffffffffffffffffffffffffffff"],
        |bytes| {
            if let Ok(rows) = parse_split(bytes).collect::<Result<Vec<_>, _>>() {
                let lines = bytes.iter().filter(|&&byte| byte == b'\n' || byte == b'\r').count();
                assert!(rows.len() <= lines + 1);
            }
        },
    );
}
