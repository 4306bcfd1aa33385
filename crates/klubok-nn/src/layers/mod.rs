//! The layers, one file each: formula, shapes, forward and backward pass side by side in f64.
//!
//! `forward` writes its output. `backward` adds to its gradients, so that one value may feed
//! several operations. `lower` appends the layer to a plan.

pub mod activation;
pub mod batch_norm;
pub mod dropout;
pub mod input;
pub mod linear;
