//! Hardware of Spaces: memory, and prices.

use std::collections::BTreeMap;

use hub::Flavor;

/// GPUs, from the smallest on: one of each size.
pub(super) const LADDER: [&str; 6] = ["t4-small", "l4x1", "l40sx1", "a100-large", "rtx-pro-6000", "h200"];

/// Share of the memory of a GPU that an app can use.
const USABLE: f64 = 0.92;

/// Facts about hardware.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Machine {
    /// Memory of one GPU in 10^9 bytes, or that of the machine if it has none.
    pub(super) memory_gb: f64,
    pub(super) gpus: u32,
    /// The GPU computes in bfloat16.
    pub(super) has_bf16: bool,
}

/// Families of hardware: the beginning of the name, memory, and bfloat16.
const FAMILIES: [(&str, f64, bool); 8] = [
    ("t4-", 16.0, false),
    ("l4x", 24.0, true),
    ("l40s", 48.0, true),
    ("a10g-", 24.0, true),
    ("a100", 80.0, true),
    ("rtx-pro-6000", 96.0, true),
    ("h200", 141.0, true),
    ("zero", 48.0, true),
];

/// Memory of machines without a GPU.
const CPUS: [(&str, f64); 5] = [
    ("cpu-basic", 16.0),
    ("cpu-upgrade", 32.0),
    ("cpu-performance", 256.0),
    ("cpu-xl", 124.0),
    ("sprx8", 64.0),
];

impl Machine {
    /// Returns the facts about a flavor: `None` for hardware that runs no CUDA.
    pub(super) fn of(flavor: Flavor) -> Option<Self> {
        let name = flavor.as_str();
        if let Some((_, memory_gb)) = CPUS.iter().find(|(cpu, _)| *cpu == name) {
            return Some(Self { memory_gb: *memory_gb, gpus: 0, has_bf16: false });
        }
        let (_, memory_gb, has_bf16) = FAMILIES.iter().find(|(family, ..)| name.starts_with(family))?;
        let gpus = name.rsplit_once('x').and_then(|(_, number)| number.parse().ok()).unwrap_or(1);
        Some(Self { memory_gb: *memory_gb, gpus, has_bf16: *has_bf16 })
    }

    /// Returns the memory that an app can use, in 10^9 bytes.
    pub(super) fn usable_gb(self) -> f64 {
        self.memory_gb * USABLE
    }
}

/// Returns the memory that one GPU of the Hub offers at most.
pub(super) fn largest_gpu_gb() -> f64 {
    let sizes = LADDER.iter().filter_map(|name| Some(Machine::of(name.parse().ok()?)?.usable_gb()));
    sizes.fold(0.0, f64::max)
}

/// Prices of an hour of hardware in US dollars, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prices(BTreeMap<String, f64>);

impl Prices {
    /// Makes a list of prices. An empty one means that they are not known.
    pub fn new(prices: impl IntoIterator<Item = (String, f64)>) -> Self {
        Self(prices.into_iter().collect())
    }

    /// Returns the price of an hour, if it is known.
    pub fn of(&self, flavor: Flavor) -> Option<f64> {
        if flavor.is_basic() || flavor.is_zero_gpu() {
            return Some(0.0);
        }
        self.0.get(flavor.as_str()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flavor_with_a_gpu_has_its_memory() {
        let of =
            |name: &str| Machine::of(name.parse().unwrap()).map(|machine| (machine.memory_gb, machine.gpus));
        let gb = |text: &str| of(text);
        assert_eq!(
            [gb("t4-small"), gb("l4x4"), gb("l40sx1")],
            [Some((16.0, 1)), Some((24.0, 4)), Some((48.0, 1))]
        );
        assert_eq!(
            [gb("a10g-largex2"), gb("a100x8"), gb("h200")],
            [Some((24.0, 2)), Some((80.0, 8)), Some((141.0, 1))]
        );
        assert_eq!([gb("rtx-pro-6000"), gb("rtx-pro-6000x4")], [Some((96.0, 1)), Some((96.0, 4))]);
        assert_eq!([gb("cpu-basic"), gb("inf2x6")], [Some((16.0, 0)), None]);
        assert!(LADDER.iter().all(|name| gb(name).is_some_and(|(_, gpus)| gpus == 1)));
        assert!(largest_gpu_gb() > 129.0);
    }
}
