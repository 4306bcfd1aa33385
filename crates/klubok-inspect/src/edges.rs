//! The weights that carry most between two layers: forward `w x`, which an input adds to a unit's
//! sum, and backward `w dz`, which the error at a unit's sum adds to the error of an input.

use super::{
    Layer, ModelView,
    pass::{BackwardPass, ForwardPass},
};

/// A weight of a layer with what it carries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// Input of the layer: a unit of the layer before.
    pub input: usize,
    /// Unit of the layer.
    pub unit: usize,
    /// `w x` or `w dz`.
    pub carried: f64,
}

impl ModelView {
    /// Returns for each of these units of a layer those of the inputs, at most `count`, that add
    /// most to its sum.
    ///
    /// # Panics
    /// When the layer has no such unit or input.
    pub fn forward_edges(
        &self,
        pass: &ForwardPass,
        layer: &Layer,
        [inputs, units]: [&[usize]; 2],
        count: usize,
    ) -> Vec<Edge> {
        let x = pass.value(layer.x);
        let edges_of = |&unit: &usize| {
            let w = self.unit(layer, unit);
            let edge = |&input: &usize| Edge { input, unit, carried: w[input] * x[input] };
            largest(inputs.iter().map(edge), count)
        };
        units.iter().flat_map(edges_of).collect()
    }

    /// Returns for each of these inputs of a layer those of the units, at most `count`, that send
    /// most of the error back to it.
    ///
    /// # Panics
    /// When the layer has no such unit or input.
    pub fn backward_edges(
        &self,
        back: &BackwardPass,
        layer: &Layer,
        [inputs, units]: [&[usize]; 2],
        count: usize,
    ) -> Vec<Edge> {
        let dz = back.gradient(layer.sum);
        let w: Vec<Vec<f64>> = units.iter().map(|&unit| self.unit(layer, unit)).collect();
        let edges_of = |&input: &usize| {
            let edge = |(&unit, w): (&usize, &Vec<f64>)| {
                let carried = w[input] * dz[unit];
                Edge { input, unit, carried }
            };
            largest(units.iter().zip(&w).map(edge), count)
        };
        inputs.iter().flat_map(edges_of).collect()
    }
}

/// Returns the edges that carry most, the largest first; none that carries nothing.
fn largest(edges: impl Iterator<Item = Edge>, count: usize) -> Vec<Edge> {
    let mut edges: Vec<Edge> = edges.filter(|edge| edge.carried != 0.0).collect();
    let by_size = |a: &Edge, b: &Edge| b.carried.abs().total_cmp(&a.carried.abs());
    if count < edges.len() {
        // A picture has many inputs: sort no more of them than needed.
        edges.select_nth_unstable_by(count, by_size);
        edges.truncate(count);
    }
    edges.sort_by(by_size);
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::view;

    /// All inputs and all units of a layer.
    fn all(view: &ModelView, layer: &Layer) -> [Vec<usize>; 2] {
        [(0..view.inputs(layer)).collect(), (0..view.units(layer)).collect()]
    }

    #[test]
    fn what_edges_carry_forward_adds_up_to_the_sum() {
        let view = view();
        let pass = view.forward(&[10.0, 200.0, 30.0]);
        for layer in view.layers() {
            let [inputs, units] = all(&view, layer);
            let edges = view.forward_edges(&pass, layer, [&inputs, &units], inputs.len());
            for unit in units {
                let own = edges.iter().filter(|edge| edge.unit == unit);
                let b = layer.b.map_or(0.0, |b| view.model.weights.params[b.0].to_f64()[unit]);
                let sum = own.map(|edge| edge.carried).sum::<f64>() + b;
                assert!((sum - pass.value(layer.sum)[unit]).abs() < 1e-12, "{} {unit}", layer.name);
            }
        }
    }

    #[test]
    fn what_edges_carry_back_adds_up_to_the_gradient() {
        let view = view();
        let pass = view.forward(&[10.0, 200.0, 30.0]);
        let back = view.backward(&pass, 1);
        for layer in view.layers() {
            let [inputs, units] = all(&view, layer);
            let edges = view.backward_edges(&back, layer, [&inputs, &units], units.len());
            for input in inputs {
                let own = edges.iter().filter(|edge| edge.input == input);
                let dx = own.map(|edge| edge.carried).sum::<f64>();
                assert!(
                    (dx - back.gradient(layer.x)[input]).abs() < 1e-12,
                    "{} {input}",
                    layer.name
                );
            }
        }
    }

    #[test]
    fn an_edge_carries_its_weight_times_its_source() {
        let view = view();
        let pass = view.forward(&[10.0, 200.0, 30.0]);
        let back = view.backward(&pass, 0);
        let last = &view.layers()[2];
        let w = view.model.weights.params[last.w.0].to_f64();
        let weight = |edge: &Edge| w[edge.unit * view.inputs(last) + edge.input];
        let forward = view.forward_edges(&pass, last, [&[0, 2, 3, 4], &[0, 1]], 2);
        assert!(forward.len() <= 4);
        for edge in &forward {
            assert_eq!(edge.carried, weight(edge) * pass.value(last.x)[edge.input]);
        }
        let backward = view.backward_edges(&back, last, [&[0, 2], &[0, 1]], 1);
        assert_eq!(backward.len(), 2);
        for edge in &backward {
            // The error at the output is p - y.
            let y = f64::from(edge.unit == 0);
            assert_eq!(edge.carried, weight(edge) * (pass.probabilities[edge.unit] - y));
        }
    }

    #[test]
    fn the_edges_that_carry_most_come_first() {
        let edge = |input, carried| Edge { input, unit: 0, carried };
        let edges = [edge(0, 0.1), edge(1, -3.0), edge(2, 0.0), edge(3, 2.0)];
        assert_eq!(largest(edges.into_iter(), 2), [edge(1, -3.0), edge(3, 2.0)]);
        assert_eq!(largest(edges.into_iter(), 9).len(), 3);
    }
}
