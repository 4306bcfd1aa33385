//! Between two steps: what people asked for is done, and looks are let in.

use std::time::Instant;

use super::{Halt, Trainer};
use crate::{
    Result,
    control::{Act, Control},
    event::{Event, Observer, Stopped},
    progress::Extended,
};

/// Share of the time of a training that looks may take,
const INSPECTION_SHARE: f64 = 0.01;
/// beside so many seconds, for those that come before the first step.
const INSPECTION_CREDIT: f64 = 0.1;

impl Trainer<'_> {
    /// Whether something is to be done before the next step.
    pub(super) fn is_called(&self, control: &Control) -> bool {
        control.calls()
            || self.rests()
            || self.is_to_repeat()
            || (control.has_inspection() && self.may_inspect())
    }

    /// Whether a person did something here in the training that this one repeats.
    pub(super) fn is_to_repeat(&self) -> bool {
        self.replay.front().is_some_and(|next| next.step <= self.progress.step)
    }

    fn rests(&self) -> bool {
        self.rest_at.is_some_and(|step| self.progress.step >= step)
    }

    fn may_inspect(&self) -> bool {
        let elapsed = self.progress.elapsed_seconds + self.lap.elapsed().as_secs_f64();
        self.inspecting.as_secs_f64() <= INSPECTION_CREDIT + INSPECTION_SHARE * elapsed
    }

    /// Does what was asked since the last step, and rests while a person wants that.
    pub(super) fn attend(
        &mut self,
        observer: &mut dyn Observer,
        control: &Control,
    ) -> std::result::Result<Option<Stopped>, Halt> {
        self.read(observer)?;
        while self.is_to_repeat()
            && let Some(next) = self.replay.pop_front()
        {
            let stopped = self.act(next.act, observer)?;
            // What was done at the same step after an end was to go on.
            if stopped.is_some() && !self.is_to_repeat() {
                return Ok(stopped);
            }
        }
        loop {
            while let Some((act, written)) = control.next_act() {
                let stopped = self.act(act, observer)?;
                // Whoever asked may have gone.
                let _ = written.send(());
                if stopped.is_some() {
                    return Ok(stopped);
                }
            }
            if control.interrupted() {
                return Ok(Some(Stopped::Interrupted));
            }
            let rests = self.rests();
            while (rests || self.may_inspect())
                && let Some(inspect) = control.next_inspection(self.progress.step)
            {
                let begun = Instant::now();
                inspect(&*self.program, &self.progress);
                if !rests {
                    self.inspecting += begun.elapsed();
                }
            }
            self.end_lap(false);
            if !rests {
                return Ok(None);
            }
            observer.observe(&Event::Resting { step: self.progress.step })?;
            control.wait(self.progress.step);
            // Rest is no time of training.
            self.lap = Instant::now();
        }
    }

    /// Writes down what a person does, then does it.
    fn act(&mut self, act: Act, observer: &mut dyn Observer) -> Result<Option<Stopped>> {
        let step = self.progress.step;
        observer.observe(&Event::Person { step, epoch: self.progress.epochs(), act })?;
        self.progress.acts += u64::from(act.changes_weights());
        match act {
            Act::Pause => self.rest_at = Some(step),
            Act::GoOn => self.rest_at = None,
            Act::OneStep => self.rest_at = Some(step + 1),
            Act::OneEpoch => {
                let epoch = self.progress.steps_per_epoch;
                self.rest_at = Some((step / epoch + 1) * epoch);
            }
            Act::LearningRate { rate } => self.set_rate(rate),
            Act::Epochs { epochs, rate } => {
                let since = self.progress.epoch;
                self.progress.extended = Some(Extended { epochs: epochs.max(since + 1), since });
                self.progress.stopped = None;
                rate.into_iter().for_each(|rate| self.set_rate(rate));
            }
            Act::Stop => {
                self.progress.stopped = Some(Stopped::Person);
                return Ok(self.progress.stopped);
            }
        }
        Ok(None)
    }

    /// Lets the learning rate be this in the next step.
    fn set_rate(&mut self, rate: f64) {
        let factor = rate * self.progress.rate_factor() / self.learning_rate(self.progress.step);
        // Where the schedule gives 0, no factor makes it more: an earlier one stays for the steps
        // that follow.
        if factor.is_finite() {
            self.progress.rate_factor = Some(factor);
        }
    }
}
