//! `draftgate manual` and `draftgate completions`: what `--help` says, as pages for
//! `man` and as scripts for shells. Both are made from the table of arguments by the
//! binary itself, so that they cannot differ from what it takes, and whoever has
//! nothing but the binary has them as well; the packages ask it for theirs.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::{
    args::Args,
    exit::{Failure, quiet_pipe},
};

const MANUAL_HELP: &str = "\
Examples:
  draftgate manual | man -l -                 read the first page
  draftgate manual --dir /usr/local/share/man/man1";

/// `draftgate manual`
#[derive(Debug, clap::Args)]
#[command(after_help = MANUAL_HELP)]
pub(crate) struct Manual {
    /// Write every page into this directory; without it the first is printed
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const COMPLETIONS_HELP: &str = "\
Examples:
  draftgate completions bash > ~/.local/share/bash-completion/completions/draftgate
  draftgate completions zsh > ~/.zfunc/_draftgate
  draftgate completions fish > ~/.config/fish/completions/draftgate.fish";

/// `draftgate completions`
#[derive(Debug, clap::Args)]
#[command(after_help = COMPLETIONS_HELP)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Writes the pages.
///
/// # Errors
/// The directory cannot be made, or a page not be written.
pub(crate) fn pages(args: &Manual) -> Result<(), Failure> {
    let Some(dir) = &args.dir else {
        return quiet_pipe(page(command(), &mut io::stdout().lock()));
    };
    let written = fs::create_dir_all(dir).and_then(|()| all(command(), dir));
    written.map_err(|error| Failure::new(format_args!("{}: {error}", dir.display())))
}

/// Prints the script.
///
/// # Errors
/// Standard output does not take it.
pub(crate) fn completions(args: &Completions) -> Result<(), Failure> {
    // The generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "draftgate", &mut script);
    quiet_pipe(io::stdout().lock().write_all(&script))
}

/// The program's arguments with the names that pages have: `draftgate-vectors-check`.
fn command() -> clap::Command {
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    command
}

/// Writes the page of `command` into `dir`, and those of the commands below it.
fn all(command: clap::Command, dir: &Path) -> io::Result<()> {
    for below in command.get_subcommands() {
        all(below.clone(), dir)?;
    }
    let mut text = Vec::new();
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    let path = dir.join(format!("{name}.1"));
    page(command.clone(), &mut text)?;
    fs::write(path, text)
}

fn page(command: clap::Command, out: &mut impl Write) -> io::Result<()> {
    let has_notes = command.get_after_help().is_some() || command.get_after_long_help().is_some();
    let page = Man::new(command)
        .source(concat!("draftgate ", env!("CARGO_PKG_VERSION")))
        .manual("draftgate");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    page.render_subcommands_section(out)?;
    if has_notes {
        let mut notes = Vec::new();
        page.render_extra_section(&mut notes)?;
        out.write_all(as_they_stand(&String::from_utf8_lossy(&notes)).as_bytes())?;
    }
    out.flush()
}

/// Lets `man` keep the lines of a section: most are examples, whose comments
/// stand below each other.
fn as_they_stand(section: &str) -> String {
    let kept = section.replace(".SH EXTRA\n", ".SH NOTES\n.nf\n");
    kept + ".fi\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_of_its_own() {
        let dir = std::env::temp_dir().join(format!("draftgate-manual-{}", std::process::id()));
        pages(&Manual {
            dir: Some(dir.clone()),
        })
        .unwrap();
        let text = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
        let first = text("draftgate.1");
        for below in command().get_subcommands() {
            let name = format!("draftgate-{}.1", below.get_name());
            assert!(text(&name).contains(".SH SYNOPSIS"), "{name}");
            let named = format!("draftgate\\-{}(1)", below.get_name());
            assert!(first.contains(&named), "{named}: {first}");
        }
        assert!(text("draftgate-vectors-check.1").contains("vectors check"));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn lines_of_examples_are_kept_apart() {
        let mut text = Vec::new();
        page(command(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let (_, notes) = text.split_once(".SH NOTES\n.nf\n").unwrap();
        assert!(notes.contains("Examples:\n"), "{notes}");
        assert!(notes.ends_with(".fi\n"), "{notes}");
    }
}
