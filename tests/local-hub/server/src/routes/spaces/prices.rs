//! `GET /api/spaces/hardware`: flavors with their prices.

use serde_json::{Value, json};

use crate::http::answer::{Answer, json_ok};

/// A flavor: name, label, CPU, memory, accelerator (model, count, memory),
/// micro-dollars per minute.
type Flavor =
    (&'static str, &'static str, &'static str, &'static str, Option<(&'static str, u32, &'static str)>, u64);

const PRICES: [Flavor; 13] = [
    ("cpu-basic", "CPU Basic", "2 vCPU", "16 GB", None, 0),
    ("cpu-upgrade", "CPU Upgrade", "8 vCPU", "32 GB", None, 500),
    ("zero-a10g", "ZeroGPU", "14 vCPU", "111 GB", None, 0),
    ("t4-small", "Nvidia T4 - small", "4 vCPU", "15 GB", Some(("T4", 1, "16 GB")), 6667),
    ("t4-medium", "Nvidia T4 - medium", "8 vCPU", "30 GB", Some(("T4", 1, "16 GB")), 10_000),
    ("l4x1", "1x Nvidia L4", "8 vCPU", "30 GB", Some(("L4", 1, "24 GB")), 13_333),
    ("l4x4", "4x Nvidia L4", "48 vCPU", "186 GB", Some(("L4", 4, "96 GB")), 63_333),
    ("l40sx1", "1x Nvidia L40S", "8 vCPU", "62 GB", Some(("L40S", 1, "48 GB")), 30_000),
    ("a10g-small", "Nvidia A10G - small", "4 vCPU", "15 GB", Some(("A10G", 1, "24 GB")), 16_667),
    ("a10g-large", "Nvidia A10G - large", "12 vCPU", "46 GB", Some(("A10G", 1, "24 GB")), 25_000),
    ("a100-large", "Nvidia A100 - large", "12 vCPU", "142 GB", Some(("A100", 1, "80 GB")), 41_667),
    ("rtx-pro-6000", "Nvidia RTX PRO 6000", "16 vCPU", "128 GB", Some(("RTX PRO 6000", 1, "96 GB")), 45_833),
    ("h200", "Nvidia H200", "23 vCPU", "256 GB", Some(("H200", 1, "141 GB")), 83_333),
];

/// Returns the list of flavors.
pub(crate) fn list() -> Answer {
    let rows: Vec<Value> = PRICES
        .iter()
        .map(|(name, label, cpu, ram, gpu, micro)| {
            let accelerator = gpu.map(|(model, count, vram)| {
                json!({"type": "gpu", "model": model, "quantity": count.to_string(), "vram": vram, "manufacturer": "Nvidia"})
            });
            json!({
                "name": name, "prettyName": label, "cpu": cpu, "ram": ram, "accelerator": accelerator,
                "unitCostMicroUSD": micro, "unitCostUSD": *micro as f64 / 1e6, "unitLabel": "minute",
            })
        })
        .collect();
    Ok(json_ok(&Value::Array(rows)))
}
