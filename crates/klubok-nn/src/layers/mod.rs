//! One file a layer: formula, shapes, forward and backward side by side in f64, and `lower`, which
//! appends the layer to a plan.

pub mod activation;
pub mod batch_norm;
pub mod dropout;
pub mod input;
pub mod linear;
