//! The sentences that people read, in English and Russian: catalogues, verdicts in words, numbers.

mod catalogue;
mod escape;
mod figures;
mod findings;
pub mod numbers;
mod phrase;
pub mod shell;
pub mod trust;
pub mod verdict;

pub use catalogue::{
    Both, Lang, both, choose, english, in_language, in_russian, language, lookup, of_page,
};
pub use escape::clean;
pub use phrase::{is_translated, translated, translated_static};
