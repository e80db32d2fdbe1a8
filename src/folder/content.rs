//! Files of the folder as content for the Hub.

use std::io::{self, Read};

use hub::Sha256;

use super::SourceFile;

impl hub::Content for SourceFile {
    fn path(&self) -> &str {
        self.path.as_str()
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        self.open_at(offset)
    }

    fn sha256(&self) -> io::Result<Sha256> {
        self.sha256()
    }

    fn before_reading(&self) -> Box<dyn FnOnce(Sha256) + Send + '_> {
        let slot = self.cache_slot();
        Box::new(move |sha256| {
            if let Some(slot) = slot {
                slot.store(None, Some(sha256));
            }
        })
    }
}
