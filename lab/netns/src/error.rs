//! Why a lab could not be built.

/// Why a lab could not be built, in words that say what to do.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Not root.
    #[error("the lab makes network namespaces and needs root: run it with sudo")]
    NotRoot,
    /// A program is not installed.
    #[error("the lab needs the program `{program}`: apt-get install {package}")]
    MissingTool {
        /// What is missing.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A program that sets the lab up failed.
    #[error("`{command}` failed: {output}")]
    Command {
        /// The whole command.
        command: String,
        /// What it printed.
        output: String,
    },
    /// The operating system refused.
    #[error("{doing}: {source}")]
    Os {
        /// What was tried.
        doing: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A lab without IPv4 was asked for something that there is only in IPv4.
    #[error("this lab has no IPv4")]
    NoFour,
    /// More hosts than the public network has addresses for.
    #[error("a lab holds {0} hosts at most")]
    Full(u8),
}

impl LabError {
    pub(crate) fn os(doing: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        Self::Os { doing: doing.into(), source: source.into() }
    }
}
