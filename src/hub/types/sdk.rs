//! SDKs of Spaces.

use std::str::FromStr;

use super::suggest;
use super::text::ParseError;

/// SDK of a Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceSdk {
    /// Gradio, which the Hub installs.
    Gradio,
    /// A Dockerfile of the repo.
    Docker,
    /// Files that the Hub serves as they are.
    Static,
    /// Streamlit, which the Hub runs in a Docker Space, because it is no SDK of the Hub any more.
    Streamlit,
}

impl SpaceSdk {
    /// Returns the name as users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gradio => "gradio",
            Self::Docker => "docker",
            Self::Static => "static",
            Self::Streamlit => "streamlit",
        }
    }

    /// Returns the name that the API uses: `gradio`, `docker` or `static` (`POST /api/repos/create`, `sdk`).
    pub fn hub_name(self) -> &'static str {
        match self {
            Self::Streamlit => "docker",
            other => other.as_str(),
        }
    }
}

impl FromStr for SpaceSdk {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "gradio" => Ok(Self::Gradio),
            "docker" => Ok(Self::Docker),
            "static" => Ok(Self::Static),
            "streamlit" => Ok(Self::Streamlit),
            _ => suggest::one_of(&["gradio", "docker", "static", "streamlit"], text),
        }
    }
}
