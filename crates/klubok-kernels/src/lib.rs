//! CPU kernels: functions on slices of numbers, without any notion of a network.
//!
//! Matrices of activations have the layout `[features][samples]`. In the forward pass the lanes of
//! a vector are samples, so products need no packing, the statistics of a batch are sums along a
//! row, and no kernel masks a remainder. The first argument of a kernel is the [`isa::Isa`] to run
//! on.

pub mod activation;
#[cfg(target_arch = "x86_64")]
mod amx;
pub mod buffer;
pub mod double;
pub mod dropout;
pub mod input;
pub mod isa;
pub mod loss;
mod math;
pub mod norm;
pub mod pack;
pub mod parts;
pub mod peak;
pub mod philox;
pub mod pool;
pub mod product;
pub mod reduce;
pub mod transpose;
pub mod update;
