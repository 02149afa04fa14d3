//! The node: daemon and command line.
#![forbid(unsafe_code)]

mod cli;
mod daemon;

fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os())
}
