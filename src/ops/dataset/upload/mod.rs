//! The upload of a dataset: its files are checked, and deployed with a card in one commit.

mod locate;
pub mod options;
pub mod report;

use crate::action::Recorder;
use crate::failure::Result;
use crate::ops::Session;
use crate::ops::deploy;

pub use options::DatasetOptions;
pub use report::DatasetReport;

/// Uploads the files of a dataset.
pub async fn upload(
    options: &DatasetOptions,
    session: &Session<'_>,
    recorder: &Recorder<DatasetReport>,
) -> Result<()> {
    let located = locate::locate(options, session.log)?;
    deploy::with_source(&located, session, async |source| {
        recorder.record(|report| report.files = Some(source.files.len()));
        deploy::deploy_source(&located, source, session, &recorder.part(|report| &mut report.deploy)).await
    })
    .await?;
    Ok(())
}
