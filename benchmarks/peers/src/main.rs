//! Measures one Rust peer: `peers burn|candle --layers L --batch-size B --threads T --seconds
//! S`.
//!
//! Prints one line of JSON, as `klubok bench --json` does.

mod burn_peer;
mod candle_peer;
mod settings;
mod timing;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let peer = arguments.next();
    let settings = settings::Settings::read(arguments)?;
    match peer.as_deref() {
        Some("burn") => burn_peer::run(&settings),
        Some("candle") => candle_peer::run(&settings)?,
        _ => bail!("the first argument must be `burn` or `candle`"),
    }
    Ok(())
}
