//! Snapshots of a running training: those of its film, and those that somebody requests.

use super::Trainer;
use crate::{
    Result,
    event::{Event, Observer},
    film::Snapshot,
};

impl Trainer {
    /// Records a snapshot for the film if one is wanted at this step, and none is there yet.
    pub(super) fn record_film(
        &mut self,
        is_wanted: bool,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let step = self.progress.step;
        if !is_wanted || self.film.as_ref().is_none_or(|film| film.has(step)) {
            return Ok(());
        }
        let snapshot = self.snapshot()?;
        if let Some(film) = &mut self.film {
            film.recorded(step);
        }
        snapshot.iter().try_for_each(|snapshot| {
            observer.observe(&Event::Snapshot { snapshot, is_kept: true })
        })?;
        self.end_lap(false);
        Ok(())
    }

    /// Sends a snapshot that the film does not keep to the observers.
    pub(super) fn send_snapshot(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let snapshot = self.snapshot()?;
        snapshot.iter().try_for_each(|snapshot| {
            observer.observe(&Event::Snapshot { snapshot, is_kept: false })
        })
    }

    /// Makes a snapshot of the present state; none without a film.
    fn snapshot(&mut self) -> Result<Option<Snapshot>> {
        let Some(film) = &mut self.film else { return Ok(None) };
        // Gradients of the step that was just done; those of an unobserved step are not known.
        let observed = self.figures.steps.last().is_some_and(|step| step.observed);
        let params = self.figures.params.rchunks_exact(self.plan.params.len()).next();
        let gradients = params.filter(|_| observed).unwrap_or_default();
        film.record(&mut *self.program, &self.plan, &self.progress, gradients).map(Some)
    }
}
