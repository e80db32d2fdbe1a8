//! The logs of a Space, printed once or while they grow.

use std::time::Duration;

use hub::LogKind;

use crate::failure::Result;
use crate::ops::Session;
use crate::ops::space;

use super::report::Outcome;
use super::target::Target;

/// Prints the ends of logs. With `wait`, follows the last of them for that time.
pub(super) async fn show(
    target: &Target<'_>,
    kinds: &[LogKind],
    lines: u32,
    wait: Option<Duration>,
) -> Result<Outcome> {
    target.read().await?;
    let Session { hub, log, .. } = target.session;
    let (followed, ended) = match (wait, kinds.split_last()) {
        (Some(time), Some((last, before))) => (Some((*last, time)), before),
        _ => (None, kinds),
    };
    let ends = ended.iter().map(|kind| space::read_end(hub, &target.repo, *kind, lines));
    for (kind, end) in ended.iter().zip(futures_util::future::try_join_all(ends).await?) {
        let group = log.group(&format!("{} log of the Space", kind.as_str()));
        match end.as_slice() {
            [] => log.info("no lines"),
            lines => log.untrusted(&lines.join("\n")),
        }
        drop(group);
        log.keep_lines(kind.as_str(), &end.join("\n"));
        let end = end.iter().map(|line| log.redact(line)).collect();
        target.recorder.record(|report| report.logs.push((*kind, end)));
    }
    if let Some((kind, time)) = followed {
        let tail = space::print_growing(hub, log, &target.repo, kind, time).await;
        let end = tail.kept().map(str::to_owned).collect();
        target.recorder.record(|report| report.logs.push((kind, end)));
    }
    Ok(Outcome::Unchanged)
}
