//! State that all browsers of a page share: the run, its timeline, and its networks.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use klubok::{
    backend::Program,
    components::Components,
    data::Dataset,
    device,
    inspect::ModelView,
    model::{Model, Typical},
    state::{State, Weights},
    train::{act::Act, control::Control, progress::Progress, run_dir::MODEL, task::Task},
};
use tokio::sync::watch;

use super::{
    cache::InspectionCache,
    film::Film,
    lock::lock,
    run_description::RunDescription,
    timeline::{Mode, Offsets, Status, Timeline},
};

/// How long to wait for a copy of the weights, at most.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Fixed part of the wait while the page has an older copy.
const WAIT_SECONDS: f64 = 1.0;
/// Steps of the training in the rest of that wait.
const WAIT_STEPS: f64 = 4.0;
/// Age at which a copy of the weights is stale while a training goes on.
const STALE_AFTER: Duration = Duration::from_millis(900);
/// Uploaded pictures in memory, the last ones.
const MAX_PICTURES: usize = 32;

/// Source of the weights.
pub(super) enum WeightSource {
    /// A training of this process.
    Live(&'static Control),
    /// The run's folder.
    Folder,
}

/// State of a page that all browsers share.
pub struct Hub {
    pub(super) run: RunDescription,
    pub(super) data: Option<Dataset>,
    source: WeightSource,
    token: Option<String>,
    timeline: Mutex<Timeline>,
    pub(super) film: Film,
    /// Seconds of the show that waits for the first look; none without a show.
    pub(super) show: Mutex<Option<u64>>,
    /// Networks of earlier steps, for repeated inspections.
    pub(super) wholes: Mutex<BTreeMap<u64, Arc<ModelView>>>,
    /// The step of the model that a training of this process last saved.
    pub(super) saved_best: Mutex<Option<u64>>,
    pub(super) expensive: InspectionCache,
    pub(super) frequent: InspectionCache,
    /// Motions of the weights, as JSON by step.
    pub(super) motions: Mutex<BTreeMap<u64, serde_json::Value>>,
    pub(super) components: OnceLock<Components>,
    /// Statistics of the training pictures, to recognise unlike ones; none where they are unknown.
    pub(super) typical: OnceLock<Option<Typical>>,
    /// The last loss landscape as JSON, with the training's step.
    pub(super) loss_landscape: Mutex<Option<(u64, serde_json::Value)>>,
    current: Mutex<Option<CopiedNetwork>>,
    /// Locked while a copy for the page's own refreshing is on its way.
    copying: Mutex<()>,
    initial: Mutex<Option<Arc<ModelView>>>,
    pictures: Mutex<BTreeMap<u64, Vec<u8>>>,
    /// Whether the page shuts down. Each open connection holds a receiver.
    shutdown: watch::Sender<bool>,
}

/// A copy of the network.
#[derive(Clone)]
pub(super) struct CopiedNetwork {
    /// Updates in its weights.
    pub(super) step: u64,
    /// Updates of the training when the hub requested the copy.
    pub(super) requested_at: u64,
    copied: Instant,
    pub(super) view: Arc<ModelView>,
}

impl Hub {
    /// Returns the data of a run that predicts classes.
    ///
    /// # Errors
    /// When it is not at hand, or the run predicts something else; a sentence.
    pub(super) fn class_data(&self) -> Result<&Dataset, String> {
        match &self.data {
            Some(data) if data.targets.classes().is_some() => Ok(data),
            Some(_) => Err("this run predicts no classes".to_owned()),
            None => Err("the data of this run is not at hand".to_owned()),
        }
    }

    pub(super) fn new(run: RunDescription, data: Option<Dataset>, source: WeightSource) -> Self {
        let timeline = Timeline::new(&run);
        let token = matches!(source, WeightSource::Live(_)).then(new_token).flatten();
        Self {
            run,
            data,
            source,
            token,
            timeline: Mutex::new(timeline),
            film: Film::default(),
            show: Mutex::default(),
            wholes: Mutex::default(),
            saved_best: Mutex::default(),
            expensive: InspectionCache::expensive(),
            frequent: InspectionCache::frequent(),
            motions: Mutex::default(),
            components: OnceLock::new(),
            typical: OnceLock::new(),
            loss_landscape: Mutex::default(),
            current: Mutex::default(),
            copying: Mutex::default(),
            initial: Mutex::new(None),
            pictures: Mutex::default(),
            shutdown: watch::Sender::new(false),
        }
    }

    /// Makes the token of another run the token of this one: one page shows both.
    pub(super) fn share_token(&mut self, other: &Self) {
        self.token.clone_from(&other.token);
    }

    /// Shuts the page down: responses under way are the last ones.
    pub(super) fn shut_down(&self) {
        self.shutdown.send_replace(true);
    }

    /// Whether the page shuts down.
    pub(super) fn is_shutting_down(&self) -> bool {
        *self.shutdown.borrow()
    }

    /// Returns a receiver of the shutdown; [`Self::connections_closed`] waits until all receivers
    /// are dropped.
    pub(super) fn shutdown(&self) -> watch::Receiver<bool> {
        self.shutdown.subscribe()
    }

    /// Waits until all receivers of the shutdown are dropped.
    pub(super) async fn connections_closed(&self) {
        self.shutdown.closed().await;
    }

    /// Returns the token that allows acting; none where the page shows no live training.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether this is the token, compared in constant time.
    pub(super) fn is_token(&self, token: &str) -> bool {
        self.token.as_ref().is_some_and(|own| {
            own.len() == token.len()
                && own.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
        })
    }

    /// Whether the weights come from a training of this process.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.source, WeightSource::Live(_))
    }

    /// Whether a training of this process takes steps.
    pub(super) fn is_training(&self) -> bool {
        self.is_live() && self.status().mode == Mode::Training
    }

    /// Returns the control of this process' training.
    pub(super) fn control(&self) -> Option<&'static Control> {
        match self.source {
            WeightSource::Live(control) => Some(control),
            WeightSource::Folder => None,
        }
    }

    /// Paces this process' training, if there is one.
    pub(super) fn set_pace(&self, seconds: Option<u64>) {
        let Some(control) = self.control() else { return };
        control.set_pace(seconds.map(Duration::from_secs));
        self.timeline().set_pace(seconds);
    }

    /// A browser has come: a show that waited for it begins.
    pub(super) fn looked_at(&self) {
        let Some(seconds) = lock(&self.show).take() else { return };
        self.set_pace(Some(seconds));
        self.control().into_iter().for_each(Control::release);
    }

    /// Requests an act of this process' training; none without one.
    pub(super) fn request(&self, act: Act) -> Option<mpsc::Receiver<()>> {
        self.control().map(|control| control.request(act))
    }

    /// Locks the timeline.
    pub(super) fn timeline(&self) -> MutexGuard<'_, Timeline> {
        lock(&self.timeline)
    }

    /// Returns where the training is.
    pub(super) fn status(&self) -> Status {
        self.timeline().status().clone()
    }

    /// Returns the records after a browser's offsets, as JSON.
    pub(super) fn timeline_after(&self, offsets: Offsets) -> serde_json::Result<String> {
        let film = self.film_steps();
        let wholes = self.network_steps_among(&film);
        serde_json::to_string(&self.timeline().after(offsets, film, wholes))
    }

    /// Returns a copy of the current network. Reuses a fresh one; where the training allows no
    /// inspection in time, an older one. What a person asked for is copied before the next step,
    /// within the time that the training has for it.
    ///
    /// # Errors
    /// When there is none; a sentence.
    pub(super) fn current_network(&self, asked: bool) -> Result<CopiedNetwork, String> {
        // One copy serves everybody; but what a person asked for does not wait for others.
        let _copying = (!asked).then(|| lock(&self.copying));
        let known = lock(&self.current).clone();
        let requested_at = self.status().step;
        // At rest only a copy of this very step will do.
        let is_training = self.is_training();
        if let Some(copy) = known.as_ref().filter(|copy| {
            copy.requested_at == requested_at
                || (is_training && copy.copied.elapsed() < STALE_AFTER)
        }) {
            return Ok(copy.clone());
        }
        let wait = if known.is_some() && is_training { self.max_wait() } else { MAX_WAIT };
        let copied = self.control().map(|control| copy_weights(control, asked, wait));
        let (step, weights) = match (copied, known) {
            (Some(Ok(copied)), _) => copied,
            (Some(Err(RecvTimeoutError::Timeout)), Some(copy)) => {
                // The next request does not wait again.
                let copy = CopiedNetwork { copied: Instant::now(), ..copy };
                *lock(&self.current) = Some(copy.clone());
                return Ok(copy);
            }
            _ => self.last_stored()?,
        };
        let view = Arc::new(self.network_with(step, weights)?);
        let copy = CopiedNetwork { step, requested_at, copied: Instant::now(), view };
        *lock(&self.current) = Some(copy.clone());
        Ok(copy)
    }

    /// Sets the copy of the current network.
    #[cfg(test)]
    pub(super) fn set_current(&self, view: Arc<ModelView>) {
        let step = self.status().step;
        let copied = Instant::now();
        *lock(&self.current) = Some(CopiedNetwork { step, requested_at: step, copied, view });
    }

    /// Returns the last weights in the run's folder, with their step: those of the end are in the
    /// film if the network is small, and in the checkpoint; without one, the model has the best.
    fn last_stored(&self) -> Result<(u64, Weights), String> {
        if let Ok(last) = self.snapshot(None)
            && let Some(weights) = &last.weights
        {
            return Ok((last.step, weights.clone()));
        }
        if let Some(data) = &self.data
            && let Ok(task) = Task::new(&self.run.config, data)
            && let Ok(Some(last)) = self.run.dir.checkpoint(&task.plan)
        {
            let State { params, running, .. } = last.state;
            return Ok((last.progress.step, Weights { params, running }));
        }
        let best = self.best_step().unwrap_or_else(|| self.status().step);
        Ok((best, self.load_model()?.weights))
    }

    /// Returns the network with these weights, calibrated as of their step.
    pub(super) fn network_with(&self, step: u64, weights: Weights) -> Result<ModelView, String> {
        let mut view = ModelView::clone(&*self.initial_network()?);
        view.set_weights(weights);
        view.model.calibration = self.timeline().calibration(step);
        Ok(view)
    }

    /// Returns how long to wait for an inspection of the training, by the time of its steps.
    pub(super) fn max_wait(&self) -> Duration {
        let Status { step, elapsed_seconds, .. } = self.status();
        let seconds = WAIT_SECONDS + WAIT_STEPS * elapsed_seconds / step as f64;
        Duration::try_from_secs_f64(seconds).map_or(MAX_WAIT, |wait| wait.min(MAX_WAIT))
    }

    /// Returns the step of the run's model.
    pub(super) fn best_step(&self) -> Option<u64> {
        self.timeline().best_step(self.run.config.train.monitor)
    }

    /// Returns the step of the model in the run's folder, once there is one.
    pub(super) fn saved_best(&self) -> Option<u64> {
        if self.is_live() { *lock(&self.saved_best) } else { self.best_step() }
    }

    /// Loads the run's model.
    ///
    /// # Errors
    /// When there is none, or it belongs to another network; a sentence.
    pub(super) fn load_model(&self) -> Result<Model, String> {
        let model = Model::load(&self.run.dir.file(MODEL)).map_err(|error| error.to_string())?;
        if self.data.is_some() {
            let start = self.initial_network()?;
            if start.model.network != model.network || start.model.outputs != model.outputs {
                return Err("the model in the run's folder is of another network".to_owned());
            }
        }
        Ok(model)
    }

    /// Returns the initial network, recomputed from the seed and calibrated as of step 0.
    pub(super) fn initial_network(&self) -> Result<Arc<ModelView>, String> {
        let calibration = self.timeline().calibration(0);
        let mut initial = lock(&self.initial);
        if let Some(view) = &mut *initial {
            // A training that has just begun was not validated yet.
            if view.model.calibration != calibration {
                Arc::make_mut(view).model.calibration = calibration;
            }
            return Ok(view.clone());
        }
        let config = &self.run.config;
        let (mut model, start) = if let Some(data) = &self.data {
            let mut task = Task::new(config, data).map_err(|error| error.to_string())?;
            let start = std::mem::take(&mut task.initial_state);
            (task.model(Weights::default()), start)
        } else {
            let model = self.load_model()?;
            let init = config.start(&self.run.train_counts, self.run.train_samples);
            let start = model.network.start(&init, config.train.seed);
            (model, start)
        };
        let State { params, running, .. } = start;
        model.weights = Weights { params, running };
        model.calibration = calibration;
        Ok(initial.insert(Arc::new(ModelView::new(model, device::cpu(1).into()))).clone())
    }

    /// Keeps an uploaded picture in memory, at the network's input size, and returns its number.
    pub(super) fn keep_picture(&self, pixels: Vec<u8>) -> u64 {
        let mut pictures = lock(&self.pictures);
        let number = pictures.last_key_value().map_or(1, |(last, _)| last + 1);
        pictures.insert(number, pixels);
        while pictures.len() > MAX_PICTURES {
            pictures.pop_first();
        }
        number
    }

    /// Returns an uploaded picture by its number.
    pub(super) fn picture(&self, number: u64) -> Option<Vec<u8>> {
        lock(&self.pictures).get(&number).cloned()
    }
}

/// Copies the weights of a training between two steps. The channel is disconnected once the
/// training has ended.
fn copy_weights(
    control: &Control,
    asked: bool,
    wait: Duration,
) -> Result<(u64, Weights), RecvTimeoutError> {
    let (sender, receiver) = mpsc::channel();
    let alive = Arc::new(());
    let requester = Arc::downgrade(&alive);
    let inspection = move |program: &dyn Program, progress: &Progress| {
        let mut weights = Weights::default();
        // Once the requester has given up, a copy would only cost the training time.
        if requester.strong_count() > 0 && program.store_weights(&mut weights).is_ok() {
            let _ = sender.send((progress.step, weights));
        }
    };
    control.inspect(0, asked, Box::new(inspection));
    receiver.recv_timeout(wait)
}

/// Returns 128 random bits in hexadecimal; none where the system has no randomness. Without a token
/// no browser can act.
fn new_token() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use klubok::train::event::{Event, Metrics, Observer as _};

    use super::*;
    use crate::fuzz::run;

    #[test]
    fn an_older_copy_serves_while_the_training_allows_no_inspection() {
        static CONTROL: Control = Control::new();
        let folder = tempfile::tempdir().unwrap();
        let hub = run(&folder).hub(&CONTROL);
        assert_eq!(hub.max_wait(), MAX_WAIT, "the time of a step is unknown");
        let metrics = Metrics { step: 100, elapsed_seconds: 1.0, ..Metrics::default() };
        hub.timeline().observe(&Event::Step(&metrics)).unwrap();
        hub.timeline().set_mode(Mode::Training);
        assert_eq!(hub.max_wait(), Duration::from_millis(1040));
        let view = hub.initial_network().unwrap();
        let copied = Instant::now().checked_sub(STALE_AFTER).unwrap();
        let before = CopiedNetwork { step: 3, requested_at: 3, copied, view };
        *lock(&hub.current) = Some(before);
        let begun = Instant::now();
        assert_eq!(hub.current_network(false).unwrap().step, 3);
        let waited = begun.elapsed();
        assert!(waited > STALE_AFTER && waited < MAX_WAIT, "{waited:?}");
        // The next request does not wait.
        let begun = Instant::now();
        assert_eq!(hub.current_network(false).unwrap().step, 3);
        assert!(begun.elapsed() < STALE_AFTER);
    }
}
