//! Comparison of a local folder with the files of a bucket. Pure.

use std::collections::{HashMap, HashSet};

use hub::{BucketFile, XetHash};

/// Files of a bucket, as far as a sync compares with them.
pub(super) struct Remote<'a> {
    /// Size and hash by path, for the folder that is synced.
    files: HashMap<&'a str, (u64, XetHash)>,
    /// Sizes of all content that the bucket is known to have.
    sizes: HashSet<u64>,
    /// Hashes of the same content.
    contents: HashSet<XetHash>,
}

/// Way of one local file into the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It is there already.
    Unchanged,
    /// The bucket has its content under another name.
    Copy(XetHash),
    /// Its content is sent, as far as the storage lacks it.
    Upload,
}

impl<'a> Remote<'a> {
    /// Takes the files of the folder, by their full paths, and files elsewhere in the bucket whose content can be copied.
    pub(super) fn new(files: &'a [BucketFile], elsewhere: &[BucketFile]) -> Self {
        let all = || files.iter().chain(elsewhere);
        Self {
            files: files.iter().map(|file| (file.path.as_str(), (file.size, file.xet_hash))).collect(),
            sizes: all().map(|file| file.size).collect(),
            contents: all().map(|file| file.xet_hash).collect(),
        }
    }

    /// Returns true if a local file of this size may be equal to content of the bucket, so that its hash decides.
    pub(super) fn may_have(&self, size: u64) -> bool {
        self.sizes.contains(&size)
    }

    /// Chooses the way of a file. `hash` is `None` if the bucket has no content of its size.
    pub(super) fn way(&self, path: &str, hash: Option<XetHash>) -> Way {
        let Some(hash) = hash else { return Way::Upload };
        match self.files.get(path) {
            Some((_, there)) if *there == hash => Way::Unchanged,
            _ if self.contents.contains(&hash) => Way::Copy(hash),
            _ => Way::Upload,
        }
    }

    /// Returns the paths of the folder that are not in `kept`.
    pub(super) fn without(&self, kept: &HashSet<&str>) -> Vec<String> {
        let mut gone: Vec<String> =
            self.files.keys().filter(|path| !kept.contains(*path)).map(|path| (*path).to_owned()).collect();
        gone.sort_unstable();
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, size: u64, content: u8) -> BucketFile {
        let xet_hash = XetHash::from([content; 32]);
        BucketFile { path: path.to_owned(), size, xet_hash, mtime: None, uploaded_at: None }
    }

    #[test]
    fn content_is_sent_only_if_the_bucket_lacks_it() {
        let files = [file("src/a", 1, 1), file("src/b", 2, 2)];
        let elsewhere = [file("old/c", 3, 3)];
        let remote = Remote::new(&files, &elsewhere);
        let hash = |content: u8| Some(XetHash::from([content; 32]));
        assert_eq!(remote.way("src/a", hash(1)), Way::Unchanged);
        assert_eq!(remote.way("src/a", hash(9)), Way::Upload);
        assert_eq!(remote.way("src/a", hash(2)), Way::Copy(hash(2).unwrap()));
        assert_eq!(remote.way("src/c", hash(3)), Way::Copy(hash(3).unwrap()));
        assert_eq!(remote.way("src/d", None), Way::Upload);
        assert_eq!([1, 2, 3, 4].map(|size| remote.may_have(size)), [true, true, true, false]);
        assert_eq!(remote.without(&HashSet::from(["src/b"])), ["src/a"]);
    }
}
