//! `klubok completions`: writes what a shell needs to complete commands, flags and their values.

use clap::CommandFactory as _;
use clap_complete::generate;

use crate::{
    args::{self, Cli},
    failure::Result,
    help,
    terminal::print_stdout,
};

/// Prints the completions of a shell, with remarks in the chosen language.
pub(crate) fn run(args: &args::Completions) -> Result<()> {
    print_stdout(script(args.shell).trim_end())
}

fn script(shell: clap_complete::Shell) -> String {
    let (mut command, mut script) = (help::localized(Cli::command()), Vec::new());
    let name = command.get_name().to_owned();
    generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use clap_complete::Shell;
    use klubok_text::in_russian;

    use super::*;

    #[test]
    fn every_shell_completes_every_command_and_flag() {
        let command = Cli::command();
        for shell in Shell::value_variants() {
            let (english, russian) = (script(*shell), in_russian(|| script(*shell)));
            for script in [english, russian] {
                for command in command.get_subcommands() {
                    assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
                    let flags = command.get_arguments().filter(|arg| !arg.is_hide_set());
                    for flag in flags.filter_map(|arg| arg.get_long()) {
                        assert!(script.contains(flag), "{shell}: {} --{flag}", command.get_name());
                    }
                }
            }
        }
    }
}
