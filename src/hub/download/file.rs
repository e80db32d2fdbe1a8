//! One file of a download.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::stream::{Reader, Stream};
use super::target::{TargetFolder, Unmade};
use super::types::{Download, Outcome, RefusedPath, disk_error};
use super::unfinished::{Unfinished, name_of};
use super::verifier::{Verifier, text_of};
use crate::call::Call;
use crate::error::{Cause, Error, PathFault};

/// Blocks that wait for the disk.
const WAITING_BLOCKS: usize = 4;

/// State of a file before its download.
enum Begun {
    Present,
    Open(Unfinished),
}

/// Downloads a file, unless it is there already.
pub(super) async fn download(
    reader: &Reader<'_>,
    file: &Download,
    target: &TargetFolder,
) -> Result<Outcome, Error> {
    let call = reader.call(&file.path)?;
    let begun = {
        let (file, target) = (file.clone(), target.clone());
        blocking(&call, move || begin(&file, &target)).await?
    };
    let unfinished = match begun {
        Ok(Begun::Present) => return Ok(Outcome::Present),
        Ok(Begun::Open(unfinished)) => unfinished,
        Err(unmade) => return refuse(file, &call, unmade),
    };
    let (place, bytes) = fetch(reader, file, &call, unfinished).await?;
    let put = {
        let (file, target) = (file.clone(), target.clone());
        blocking(&call, move || put(&place, &file, &target)).await?
    };
    match put {
        Ok(()) => Ok(Outcome::Written { bytes }),
        Err(unmade) => refuse(file, &call, unmade),
    }
}

/// Runs work that blocks on a thread where that is no harm.
async fn blocking<T: Send + 'static>(
    call: &Call,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| disk_error(&call.operation, io::Error::other(error)))
}

/// Turns the reason into a refusal of this path, or into an error of the whole download.
fn refuse(file: &Download, call: &Call, unmade: Unmade) -> Result<Outcome, Error> {
    let fault = match unmade {
        Unmade::Fault(fault) => fault,
        Unmade::Io(error) => match error.kind() {
            io::ErrorKind::InvalidFilename => PathFault::TooLong,
            io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
                PathFault::FileAndFolder(file.to.clone())
            }
            _ => return Err(disk_error(&call.operation, error)),
        },
    };
    Ok(Outcome::Refused(RefusedPath { path: file.to.clone(), fault }))
}

/// Looks whether the file is there, and opens its unfinished file if not.
fn begin(file: &Download, target: &TargetFolder) -> Result<Begun, Unmade> {
    let place = target.place(&file.to)?;
    if is_present(&place, file).map_err(Unmade::Io)? {
        return Ok(Begun::Present);
    }
    let name = name_of(file).map_err(Unmade::Io)?;
    let unfinished = Unfinished::open(target.make_unfinished(&name)?, file).map_err(Unmade::Io)?;
    Ok(Begun::Open(unfinished))
}

/// Returns true if the place has the content already.
fn is_present(place: &Path, file: &Download) -> io::Result<bool> {
    match fs::metadata(place) {
        Ok(found) if found.len() == file.size => {
            let mut verifier = Verifier::new(file.id, file.size);
            verifier.read(File::open(place)?)?;
            Ok(verifier.finish(file.id).is_ok())
        }
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives a complete file its name.
fn put(unfinished: &Path, file: &Download, target: &TargetFolder) -> Result<(), Unmade> {
    let placed =
        target.make_place(&file.to).and_then(|place| fs::rename(unfinished, place).map_err(Unmade::Io));
    if placed.is_err() {
        let _ = fs::remove_file(unfinished);
    }
    placed
}

/// Fills the unfinished file, checks its hash, and returns its place and the number of bytes that came.
async fn fetch(
    reader: &Reader<'_>,
    file: &Download,
    call: &Call,
    mut unfinished: Unfinished,
) -> Result<(PathBuf, u64), Error> {
    let (mut failures, mut bytes) = (0, 0);
    // Content of an earlier run may be damaged, and is given up once.
    let mut is_continued = unfinished.length > 0;
    loop {
        while !unfinished.is_complete() {
            let before = unfinished.length;
            let (filled, result) = fill(reader, file, call, unfinished).await?;
            unfinished = filled;
            let came = unfinished.length.saturating_sub(before);
            bytes += came;
            // A stream that ends early has broken, even if no error says so.
            let result =
                result.and_then(|()| if unfinished.is_complete() { Ok(()) } else { Err(ended_early(call)) });
            if let Err(error) = result {
                failures = if came > 0 { 0 } else { failures };
                reader.hub.wait_for_retry(call, error, &mut failures).await?;
            }
        }
        let (checked, result) = blocking(call, move || {
            let result = unfinished.check();
            (unfinished, result)
        })
        .await?;
        unfinished = checked;
        match result.map_err(|error| disk_error(&call.operation, error))? {
            Ok(()) => return Ok((unfinished.into_place(), bytes)),
            Err(_) if is_continued => is_continued = false,
            Err(found) => {
                let _ = fs::remove_file(unfinished.into_place());
                let expected = text_of(file.id);
                return Err(Error::new(&call.operation, Cause::Corrupt { expected, found }));
            }
        }
    }
}

fn ended_early(call: &Call) -> Error {
    let detail = "the content ended early".to_owned();
    Error::new(&call.operation, Cause::Unreachable { detail, attempts: 1, before_sending: false })
}

/// Opens the stream where the unfinished file ends, and writes until the stream ends or breaks. The inner error is that
/// of the stream.
async fn fill(
    reader: &Reader<'_>,
    file: &Download,
    call: &Call,
    unfinished: Unfinished,
) -> Result<(Unfinished, Result<(), Error>), Error> {
    let (mut stream, continues) = match reader.open(file, call, unfinished.length).await {
        Ok(opened) => opened,
        Err(error) => return Ok((unfinished, Err(error))),
    };
    // The disk and the network work at the same time, each at its own speed.
    let (blocks, mut waiting) = mpsc::channel::<Bytes>(WAITING_BLOCKS);
    let writer = tokio::task::spawn_blocking(move || {
        let mut unfinished = unfinished;
        let mut write = || -> io::Result<()> {
            if !continues {
                unfinished.restart()?;
            }
            while let Some(block) = waiting.blocking_recv() {
                unfinished.write(&block)?;
            }
            Ok(())
        };
        let written = write();
        (unfinished, written)
    });
    let received = receive(reader, call, &mut stream, blocks).await;
    let (unfinished, written) =
        writer.await.map_err(|error| disk_error(&call.operation, io::Error::other(error)))?;
    written.map_err(|error| disk_error(&call.operation, error))?;
    Ok((unfinished, received))
}

/// Passes blocks on until the stream ends or breaks, or the disk takes no more.
async fn receive(
    reader: &Reader<'_>,
    call: &Call,
    stream: &mut Stream,
    blocks: mpsc::Sender<Bytes>,
) -> Result<(), Error> {
    while let Some(block) = stream.next(&call.operation).await? {
        reader.report(&block);
        if blocks.send(block).await.is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use local_hub_server::{DEFAULT_TOKEN, HubConfig, LocalHub};

    use super::super::types::DownloadFrom;
    use super::*;
    use crate::{Credentials, Hub, HubOptions, OnBytes, Secret};

    #[tokio::test(flavor = "multi_thread")]
    async fn full_disk_ends_a_download_with_its_reason() {
        let server = LocalHub::start(HubConfig::default()).await.unwrap();
        server.bucket("ada/data").create("ada", true).unwrap();
        server.bucket("ada/data").write(&[("a.bin", &[7; 100_000])]).await.unwrap();
        let mut options = HubOptions::new(server.endpoint().parse().unwrap());
        options.credentials = Credentials::Token(Secret::new(DEFAULT_TOKEN));
        let hub = Hub::new(options).unwrap();
        let bucket: crate::BucketId = "ada/data".parse().unwrap();
        let listed = hub.list_bucket(&bucket, None).await.unwrap();
        let (from, on_bytes): (_, OnBytes) = (DownloadFrom::Bucket(bucket), Arc::new(|_| ()));
        let reader = Reader::new(&hub, &from, &on_bytes);
        let mut file = Download::of_bucket_file(&listed[0], "a.bin");
        for by_xet in [true, false] {
            file.xet_hash = file.xet_hash.filter(|_| by_xet);
            let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            let unfinished = Unfinished::on(full, &file);
            let call = reader.call(&file.path).unwrap();
            let error = fetch(&reader, &file, &call, unfinished).await.unwrap_err();
            let Cause::Disk(cause) = &*error.cause else { panic!("{error}") };
            assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
            assert_eq!(
                error.to_string(),
                "cannot download `a.bin` of the bucket `ada/data`: No space left on device (os error 28)"
            );
        }
    }
}
