//! Why a command ends without having done what was asked, and the exit codes that scripts rely on.

use pbx::language::Text;
use pbx::text;
use store::StoreError;
use web::failure::of_io;
use web::resource::{Failure, Finding};

#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) exit: Exit,
    pub(crate) message: Text,
    /// The rows of the dial plan that the message is about.
    pub(crate) findings: Box<[Finding]>,
}

/// The exit codes; 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Refused = 4,
    /// EX_UNAVAILABLE of sysexits: the server is not running.
    NotRunning = 69,
    /// EX_CONFIG of sysexits.
    Config = 78,
}

pub(crate) type Result<T> = std::result::Result<T, Failed>;

impl Failed {
    pub(crate) fn new(exit: Exit, message: Text) -> Self {
        Self { exit, message, findings: Box::default() }
    }

    /// A file or folder that is not as it must be.
    pub(crate) fn at(exit: Exit, path: &std::path::Path, error: &std::io::Error) -> Self {
        let path = path.display();
        Self::new(exit, text!("{path}: {}", "{path}：{}", of_io(error)))
    }
}

/// Says what was being done when it happened.
pub(crate) trait Within<T> {
    fn within(self, what: impl FnOnce() -> Text) -> Result<T>;
}

impl<T, E: Into<Failed>> Within<T> for std::result::Result<T, E> {
    fn within(self, what: impl FnOnce() -> Text) -> Result<T> {
        self.map_err(|error| {
            let Failed { exit, message, .. } = error.into();
            let what = what();
            Failed::new(exit, text!("{}: {}", "{}：{}", what, message))
        })
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Failed, text!("{error:#}", "出错：{error:#}"))
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, of_io(&error))
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Failure::from(error).into()
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        let exit = match failure.status {
            404 => Exit::NotFound,
            400 | 403 | 409 | 422 => Exit::Refused,
            _ => Exit::Failed,
        };
        let subject = failure.subject.clone();
        let findings = failure.findings.clone();
        let detail = failure.detail();
        let message = match subject {
            Some(subject) => text!("{subject}: {}", "{subject}：{}", detail),
            None => detail,
        };
        Self { findings, ..Self::new(exit, message) }
    }
}

/// An argument that is not as it must be. The parser of the command line takes it as an error, and
/// gives it back for its Chinese.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.en)]
pub(crate) struct Invalid(pub(crate) Text);
