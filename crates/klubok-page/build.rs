//! Compresses the script of the page's charts at build time.

use std::{env, error::Error, io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let tags = plotly::Plot::offline_js_sources();
    // The first element is the charts' script. The other one typesets formulas: the page has none.
    let script = tags.split_once('>').and_then(|(_, rest)| rest.split_once("</script>"));
    let (script, _) = script.ok_or("the library of the charts has no script where it was")?;
    let folder = env::var_os("OUT_DIR").ok_or("Cargo names no folder")?;
    let file = fs_err::File::create(Path::new(&folder).join("charts.js.gz"))?;
    let mut packed = GzEncoder::new(file, Compression::best());
    packed.write_all(script.as_bytes())?;
    packed.finish()?;
    Ok(())
}
