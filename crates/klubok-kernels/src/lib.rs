//! CPU kernels: numbers in, numbers out. Knows nothing of networks.
//!
//! Values are kept feature by feature, samples side by side (`[features][samples]`): the lanes of a vector are samples in
//! the forward pass, so nothing is packed, statistics of a batch are sums along a row, and no kernel has a remainder to
//! mask. Every kernel takes the [`isa::Isa`] that it shall run on.

pub mod activation;
pub mod buffer;
pub mod dropout;
pub mod isa;
pub mod layout;
pub mod loss;
mod math;
pub mod norm;
pub mod parts;
pub mod peak;
pub mod philox;
pub mod pool;
pub mod product;
pub mod reduce;
pub mod update;
