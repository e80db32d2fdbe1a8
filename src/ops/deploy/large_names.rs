//! Files that a new repo keeps in the storage for large files, as far as that is known without asking the Hub.

use hub::RepoPath;

/// Size from which the Hub keeps every file in that storage (hub docs, "Managing Spaces with GitHub Actions").
const LARGE_SIZE: u64 = 10_000_000;

/// Endings of files that the Hub keeps in its storage for large files, whatever their content: the rules of the
/// `.gitattributes` in a new repo. Most of the second half apply to datasets only.
const LARGE: &str = "7z arrow bin bz2 ckpt ftz gz h5 joblib mlmodel model msgpack npy npz onnx ot parquet pb \
    pickle pkl pt pth rar safetensors tar tflite tgz wasm xz zip zst \
    aac bmp flac gif jpeg jpg lz4 mds mp3 mp4 ogg pcm png raw sam tiff wav webm webp";

/// Returns true if a new repo keeps a file in the storage for large files, as far as name and size say.
pub(super) fn is_surely_large(path: &RepoPath, size: u64) -> bool {
    size >= LARGE_SIZE || has_large_name(path)
}

/// Returns true if the name of a file alone says so.
pub(super) fn has_large_name(path: &RepoPath) -> bool {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    name.contains("tfevents")
        || name.contains(".tar.")
        || name.contains(".lfs.")
        || path.as_str().split('/').any(|part| part == "saved_model")
        || ending.is_some_and(|ending| LARGE.split_whitespace().any(|large| large == ending))
}
