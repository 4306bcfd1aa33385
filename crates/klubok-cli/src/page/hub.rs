//! What all browsers of a page share: the story, what it is of, and the weights to look at.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, mpsc, mpsc::RecvTimeoutError},
    time::{Duration, Instant},
};

use klubok::{
    components::Components,
    data::{Dataset, typical::Typical},
    inspect::ModelView,
    model::Model,
    state::{State, Weights},
    train::{act::Act, control::Control, run_dir::MODEL, task::Task},
};
use tokio::sync::watch;

use super::{
    about::About,
    cache::AnswerCache,
    lock::lock,
    snapshots::Snapshots,
    story::{Known, Mode, Now, Story},
};
use crate::compute;

/// How long a look at a training is waited for at the most.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds and steps after which looks have had their share of the time, and it is not worth
/// waiting for another one.
const SECONDS: f64 = 1.0;
const STEPS: f64 = 4.0;
/// How old a copy of the weights may be while training goes on.
const FRESH: Duration = Duration::from_millis(900);
/// Pictures of visitors that are kept, the last ones.
const PICTURES: usize = 32;

/// Where weights come from.
pub(super) enum Weighted {
    /// From a training of this process.
    Live(&'static Control),
    /// From the run's model.
    Model,
}

/// What all browsers share.
pub(crate) struct Hub {
    pub(super) about: About,
    pub(super) data: Option<Dataset>,
    weighted: Weighted,
    token: Option<String>,
    story: Mutex<Story>,
    pub(super) snapshots: Mutex<Snapshots>,
    pub(super) expensive: AnswerCache,
    pub(super) frequent: AnswerCache,
    /// What was told of steps, by the steps.
    pub(super) motions: Mutex<BTreeMap<u64, serde_json::Value>>,
    pub(super) components: OnceLock<Components>,
    /// None where it cannot be told.
    pub(super) typical: OnceLock<Option<Typical>>,
    /// Of how many updates, and what was told.
    pub(super) terrain: Mutex<Option<(u64, serde_json::Value)>>,
    now: Mutex<Option<Copy>>,
    start: Mutex<Option<Arc<ModelView>>>,
    pictures: Mutex<BTreeMap<u64, Vec<u8>>>,
    /// Whether the page ends. Each connection listens to it as long as it is open.
    ending: watch::Sender<bool>,
}

/// A copy of the weights.
#[derive(Clone)]
pub(super) struct Copy {
    /// Updates that made them.
    pub(super) step: u64,
    /// Updates done when they were asked for.
    pub(super) asked: u64,
    taken: Instant,
    pub(super) view: Arc<ModelView>,
}

impl Hub {
    pub(super) fn new(about: About, data: Option<Dataset>, weighted: Weighted) -> Self {
        let story = Story::new(&about.val, about.setup());
        let token = matches!(weighted, Weighted::Live(_)).then(new_token).flatten();
        Self {
            about,
            data,
            weighted,
            token,
            story: Mutex::new(story),
            snapshots: Mutex::default(),
            expensive: AnswerCache::expensive(),
            frequent: AnswerCache::frequent(),
            motions: Mutex::default(),
            components: OnceLock::new(),
            typical: OnceLock::new(),
            terrain: Mutex::default(),
            now: Mutex::new(None),
            start: Mutex::new(None),
            pictures: Mutex::default(),
            ending: watch::Sender::new(false),
        }
    }

    /// The page ends: answers under way are the last ones.
    pub(super) fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Whether it does.
    pub(super) fn ends(&self) -> bool {
        *self.ending.borrow()
    }

    /// Tells when the page ends; whoever holds this is waited for.
    pub(super) fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    /// Waits until nobody listens to the end any more.
    pub(super) async fn all_gone(&self) {
        self.ending.closed().await;
    }

    /// What lets a person act; none where nothing can be done.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether this is the token. Takes as long for any wrong one.
    pub(super) fn lets_act(&self, token: &str) -> bool {
        self.token.as_ref().is_some_and(|own| {
            own.len() == token.len()
                && own.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
        })
    }

    /// Whether the weights are those of a training of this process.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.weighted, Weighted::Live(_))
    }

    /// Whether a training of this process takes steps.
    pub(super) fn goes_on(&self) -> bool {
        self.is_live() && self.now().mode == Mode::Training
    }

    /// What reaches the training of this process.
    pub(super) fn control(&self) -> Option<&'static Control> {
        match self.weighted {
            Weighted::Live(control) => Some(control),
            Weighted::Model => None,
        }
    }

    /// Asks the training for something; none without one of this process.
    pub(super) fn ask(&self, act: Act) -> Option<mpsc::Receiver<()>> {
        self.control().map(|control| control.request(act))
    }

    /// The story, to be told more of.
    pub(super) fn story(&self) -> MutexGuard<'_, Story> {
        lock(&self.story)
    }

    /// Where the training is.
    pub(super) fn now(&self) -> Now {
        self.story().now().clone()
    }

    /// What a browser does not know yet, as JSON.
    pub(super) fn after(&self, known: Known) -> serde_json::Result<String> {
        serde_json::to_string(&self.story().after(known))
    }

    /// The weights now, those of a moment ago, or the last ones that are known where the training
    /// lets nobody look.
    ///
    /// # Errors
    /// In a sentence, when there are none.
    pub(super) fn weights(&self) -> Result<Copy, String> {
        let mut kept = lock(&self.now);
        let asked = self.now().step;
        // At rest nothing is worth more than the step that one rests at.
        let goes_on = self.goes_on();
        if let Some(copy) = kept
            .as_ref()
            .filter(|copy| copy.asked == asked || (goes_on && copy.taken.elapsed() < FRESH))
        {
            return Ok(copy.clone());
        }
        let patience = if kept.is_some() && goes_on { self.patience() } else { PATIENCE };
        let taken = self.control().map(|control| ask(control, patience));
        let (step, weights) = match (taken, &mut *kept) {
            (Some(Ok(taken)), _) => taken,
            (Some(Err(RecvTimeoutError::Timeout)), Some(copy)) => {
                // Whoever comes next does not wait for it again.
                copy.taken = Instant::now();
                return Ok(copy.clone());
            }
            _ => (self.best_step().unwrap_or(asked), self.model()?.weights),
        };
        let view = Arc::new(self.glass_of(step, weights)?);
        let copy = Copy { step, asked, taken: Instant::now(), view };
        *kept = Some(copy.clone());
        Ok(copy)
    }

    /// The network with its weights at a step, and the confidences that validation gives it.
    pub(super) fn glass_of(&self, step: u64, weights: Weights) -> Result<ModelView, String> {
        let mut view = ModelView::clone(&*self.start()?);
        view.set_weights(weights);
        view.model.calibration = self.story().calibration(step);
        Ok(view)
    }

    /// How long a look at a training is worth waiting for.
    pub(super) fn patience(&self) -> Duration {
        let Now { step, elapsed_seconds, .. } = self.now();
        let seconds = SECONDS + STEPS * elapsed_seconds / step as f64;
        Duration::try_from_secs_f64(seconds).map_or(PATIENCE, |patience| patience.min(PATIENCE))
    }

    /// The step of the run's model.
    pub(super) fn best_step(&self) -> Option<u64> {
        self.story().best_step(self.about.config.train.monitor)
    }

    /// The run's model.
    ///
    /// # Errors
    /// In a sentence, when there is none, or it is not of the run's network.
    pub(super) fn model(&self) -> Result<Model, String> {
        let model = Model::load(&self.about.run.file(MODEL)).map_err(|error| error.to_string())?;
        if self.data.is_some() {
            let start = self.start()?;
            if start.model.network != model.network || start.model.classes != model.classes {
                return Err("the model in the run's folder is of another network".to_owned());
            }
        }
        Ok(model)
    }

    /// The network before its first step: it follows from the seed.
    pub(super) fn start(&self) -> Result<Arc<ModelView>, String> {
        let mut start = lock(&self.start);
        if let Some(start) = &*start {
            return Ok(start.clone());
        }
        let config = &self.about.config;
        let mut model = if let Some(data) = &self.data {
            let task = Task::new(config, data).map_err(|error| error.to_string())?;
            task.model(Weights::default())
        } else {
            self.model()?
        };
        let begin = config.start(&self.about.train);
        let State { params, running, .. } = model.network.start(&begin, config.train.seed);
        model.weights = Weights { params, running };
        Ok(start.insert(Arc::new(ModelView::new(model, compute::cpu(1).into()))).clone())
    }

    /// Keeps a picture in memory as the network sees it, and gives it a number.
    pub(super) fn keep(&self, pixels: Vec<u8>) -> u64 {
        let mut pictures = lock(&self.pictures);
        let number = pictures.last_key_value().map_or(1, |(last, _)| last + 1);
        pictures.insert(number, pixels);
        while pictures.len() > PICTURES {
            pictures.pop_first();
        }
        number
    }

    /// A picture that was kept.
    pub(super) fn picture(&self, number: u64) -> Option<Vec<u8>> {
        lock(&self.pictures).get(&number).cloned()
    }
}

/// The weights of a training between two steps. It is disconnected when it has ended.
fn ask(control: &Control, patience: Duration) -> Result<(u64, Weights), RecvTimeoutError> {
    let (sender, receiver) = mpsc::channel();
    let waits = Arc::new(());
    let waiting = Arc::downgrade(&waits);
    control.inspect(Box::new(move |program, progress| {
        let mut weights = Weights::default();
        // Who does not wait any more does not need them, and they take time of the training.
        if waiting.strong_count() > 0 && program.store_weights(&mut weights).is_ok() {
            let _ = sender.send((progress.step, weights));
        }
    }));
    receiver.recv_timeout(patience)
}

/// 128 random bits, as text; none where the system has no randomness: then nobody may act.
fn new_token() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use klubok::train::event::{Event, Metrics, Observer as _};

    use super::*;
    use crate::page::fuzz::run;

    #[test]
    fn weights_that_are_known_are_given_where_nobody_may_look() {
        static CONTROL: Control = Control::new();
        let folder = tempfile::tempdir().unwrap();
        let hub = run(&folder).hub(&CONTROL);
        assert_eq!(hub.patience(), PATIENCE, "nothing is known of its steps");
        let far = Metrics { step: 100, elapsed_seconds: 1.0, ..Metrics::default() };
        hub.story().observe(&Event::Step(&far)).unwrap();
        hub.story().set_mode(Mode::Training);
        assert_eq!(hub.patience(), Duration::from_millis(1040));
        let view = hub.start().unwrap();
        let taken = Instant::now().checked_sub(FRESH).unwrap();
        let before = Copy { step: 3, asked: 3, taken, view };
        *lock(&hub.now) = Some(before);
        let begun = Instant::now();
        assert_eq!(hub.weights().unwrap().step, 3);
        let waited = begun.elapsed();
        assert!(waited > FRESH && waited < PATIENCE, "{waited:?}");
        // Whoever comes next does not wait.
        let begun = Instant::now();
        assert_eq!(hub.weights().unwrap().step, 3);
        assert!(begun.elapsed() < FRESH);
    }
}
