//! User-visible texts in English and Russian: catalogues, verdicts in words, numbers.

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
    Bilingual, Lang, bilingual, choose, in_english, in_language, in_russian, language, lookup,
    page_texts,
};
pub use escape::clean;
pub use phrase::{is_translated, translated, translated_static};
