//! Files of weights: their formats, and those that a library loads.

use std::collections::BTreeMap;

use hub::{ModelFile, ModelInfo};

/// Format of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    Safetensors,
    /// A file of `pickle`, which can run any code when it is loaded.
    Pickle,
    Gguf,
    Onnx,
    /// Weights of TensorFlow, Flax, Core ML and others.
    Foreign,
}

/// Files of a training, which no app loads.
const TRAINING: &[&str] =
    &["training_args", "optimizer", "scheduler", "rng_state", "scaler", "random_states"];

/// Folders whose weights the libraries do not load by themselves.
const UNUSED_FOLDERS: &[&str] = &[
    "onnx",
    "openvino",
    "flax",
    "original",
    "coreml",
    "vae_1_0",
    "checkpoints",
    "logs",
    "gguf",
    "comfyui",
    "split_files",
];

/// Returns the format of a file of weights.
pub(super) fn format(path: &str) -> Option<Format> {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let (stem, ending) = name.rsplit_once('.')?;
    if TRAINING.iter().any(|word| stem.starts_with(word)) {
        return None;
    }
    match ending {
        "safetensors" => Some(Format::Safetensors),
        "gguf" | "ggml" => Some(Format::Gguf),
        "onnx" => Some(Format::Onnx),
        "pt" | "pth" | "ckpt" | "pkl" | "pickle" => Some(Format::Pickle),
        "bin" if stem.starts_with("openvino") => Some(Format::Foreign),
        "bin"
            if [
                "pytorch_model",
                "adapter_model",
                "diffusion_pytorch",
                "model",
                "pytorch_lora",
                "open_clip",
            ]
            .iter()
            .any(|word| stem.starts_with(word)) =>
        {
            Some(Format::Pickle)
        }
        "h5" | "keras" | "msgpack" | "tflite" | "mlmodel" | "nemo" | "joblib" | "engine" | "ot" => {
            Some(Format::Foreign)
        }
        _ => None,
    }
}

/// Returns true for the weights of a whole model of `transformers`, and not those of an adapter.
pub(super) fn is_whole_model(path: &str) -> bool {
    let is_model = path.starts_with("model") || path.starts_with("pytorch_model");
    is_model && !path.contains('/') && matches!(format(path), Some(Format::Safetensors | Format::Pickle))
}

/// Returns the formats of all weights of a model.
pub(super) fn formats(info: &ModelInfo) -> Vec<Format> {
    let mut formats: Vec<Format> = info.files.iter().filter_map(|file| format(&file.path)).collect();
    formats.sort_unstable();
    formats.dedup();
    formats
}

/// Returns a file of weights by which the access to the files can be checked, or another file without any.
pub(crate) fn file_to_check(info: &ModelInfo) -> Option<&str> {
    let weights = info.files.iter().filter(|file| format(&file.path).is_some());
    let config =
        info.files.iter().filter(|file| matches!(file.path.as_str(), "config.json" | "model_index.json"));
    weights.chain(config).map(|file| file.path.as_str()).next()
}

/// Returns true if each component of a model of `diffusers` has weights in half precision only.
pub(super) fn is_half_only(info: &ModelInfo) -> bool {
    let weights = info.files.iter().filter(|file| {
        file.path.contains('/') && matches!(format(&file.path), Some(Format::Safetensors | Format::Pickle))
    });
    let mut names = weights.map(|file| file.path.as_str()).peekable();
    names.peek().is_some() && names.all(|name| name.contains(".fp16."))
}

/// Returns the size in bytes of the files that a library loads: one format, and one variant of each component.
/// `None` if a size is not known, or there are no weights.
pub(super) fn loaded_bytes(info: &ModelInfo, is_diffusers: bool) -> Option<u64> {
    let mut folders: BTreeMap<&str, Vec<&ModelFile>> = BTreeMap::new();
    for file in &info.files {
        if matches!(format(&file.path), Some(Format::Safetensors | Format::Pickle)) {
            let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            folders.entry(folder).or_default().push(file);
        }
    }
    folders.retain(|folder, _| {
        !UNUSED_FOLDERS.iter().any(|unused| folder.split('/').any(|part| part == *unused))
    });
    // A model of diffusers has a folder for each component, and may have all in one file as well.
    let has_components = is_diffusers && folders.keys().any(|folder| !folder.is_empty());
    let chosen = folders.iter().filter(|(folder, _)| {
        if has_components { !folder.is_empty() && !folder.contains('/') } else { folder.is_empty() }
    });
    let mut total = 0_u64;
    let mut is_any = false;
    for (_, files) in chosen {
        is_any = true;
        total = total.saturating_add(component(files)?);
    }
    is_any.then_some(total)
}

/// Returns the size of one component.
fn component(files: &[&ModelFile]) -> Option<u64> {
    let of = |wanted: Format| files.iter().copied().filter(move |file| format(&file.path) == Some(wanted));
    let safetensors: Vec<&ModelFile> = of(Format::Safetensors).collect();
    let files: Vec<&ModelFile> =
        if safetensors.is_empty() { of(Format::Pickle).collect() } else { safetensors };
    let name = |file: &ModelFile| file.path.rsplit('/').next().unwrap_or_default().to_lowercase();
    let pick = |wanted: &dyn Fn(&str) -> bool| -> Vec<&ModelFile> {
        files.iter().copied().filter(|file| wanted(&name(file))).collect()
    };
    // The half-precision variant has the size that the weights have in memory.
    let half = pick(&|name| name.contains(".fp16") || name.contains(".bf16"));
    let usual = pick(&|name| {
        ["model", "pytorch_model", "diffusion_pytorch_model", "adapter_model"]
            .iter()
            .any(|word| name.starts_with(word))
            && ![".non_ema", ".ema", ".fp32"].iter().any(|word| name.contains(word))
    });
    let chosen = [half, usual].into_iter().find(|files| !files.is_empty()).unwrap_or(files);
    chosen.iter().try_fold(0_u64, |sum, file| Some(sum.saturating_add(file.size?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(files: &[(&str, u64)]) -> ModelInfo {
        let files =
            files.iter().map(|(path, size)| ModelFile { path: (*path).to_owned(), size: Some(*size) });
        ModelInfo { files: files.collect(), ..ModelInfo::default() }
    }

    #[test]
    fn one_variant_of_each_component_counts() {
        let files = info(&[
            ("unet/diffusion_pytorch_model.safetensors", 100),
            ("unet/diffusion_pytorch_model.fp16.safetensors", 50),
            ("unet/diffusion_pytorch_model.bin", 100),
            ("vae/diffusion_pytorch_model.safetensors", 7),
            ("text_encoder/model-00001-of-00002.safetensors", 3),
            ("text_encoder/model-00002-of-00002.safetensors", 2),
            ("vae_1_0/diffusion_pytorch_model.safetensors", 1000),
            ("all-in-one.safetensors", 1000),
        ]);
        assert_eq!(loaded_bytes(&files, true), Some(62));
        assert_eq!(loaded_bytes(&info(&[("flux.safetensors", 9)]), true), Some(9));
    }

    #[test]
    fn second_copies_and_other_formats_do_not_count() {
        let files = info(&[
            ("model-00001-of-00001.safetensors", 10),
            ("consolidated.safetensors", 10),
            ("pytorch_model.bin", 20),
            ("original/consolidated.00.pth", 10),
            ("onnx/model.onnx", 10),
            ("optimizer.pt", 99),
        ]);
        assert_eq!(loaded_bytes(&files, false), Some(10));
        let pickles = info(&[("pytorch_model.bin", 20), ("training_args.bin", 1), ("rust_model.ot", 20)]);
        assert_eq!(loaded_bytes(&pickles, false), Some(20));
        assert_eq!(loaded_bytes(&info(&[("tf_model.h5", 20)]), false), None);
    }

    #[test]
    fn formats_are_known_by_name() {
        let all = [
            ("model.safetensors", Some(Format::Safetensors)),
            ("pytorch_model-00001-of-00002.bin", Some(Format::Pickle)),
            ("v1-5.ckpt", Some(Format::Pickle)),
            ("a/model_q4.onnx", Some(Format::Onnx)),
            ("openvino_model.bin", Some(Format::Foreign)),
            ("training_args.bin", None),
            ("vocab.json", None),
            ("README", None),
            ("m-Q4_K_M.GGUF", Some(Format::Gguf)),
        ];
        for (path, expected) in all {
            assert_eq!(format(path), expected, "{path}");
        }
    }
}
