//! The network: one file a layer, plain forward and backward side by side in f64.

pub mod activation;
pub mod batch_norm;
pub mod calibration;
#[cfg(test)]
pub mod check;
pub mod dropout;
pub mod init;
pub mod input;
pub mod linear;
pub mod loss;
pub mod network;
