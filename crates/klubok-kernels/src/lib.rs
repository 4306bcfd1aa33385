//! CPU kernels: numbers in, numbers out. Knows nothing of networks.
//!
//! Values are kept feature by feature, samples side by side (`[features][samples]`): the lanes of a
//! vector are samples in the forward pass, so nothing is packed, statistics of a batch are sums
//! along a row, and no kernel has a remainder to mask. Every kernel takes the [`isa::Isa`] that it
//! shall run on.

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
