//! The hardware of Jobs with its prices.

use hub::{Credentials, JobHardware};
use serde_json::{Value, json};

use super::rows::{Answer, answer, reader};
use crate::commands::command::{Command, Invocation, connect};
use crate::commands::groups::sign_in;
use crate::failure::{Code, Failure};
use crate::ops::job::Price;
use crate::text::plain;

pub(crate) static COMMAND: Command =
    reader("job hardware", "List the hardware for Jobs with its prices", "", &[], |call| Box::pin(run(call)));

async fn run(call: Invocation) -> u8 {
    answer(call, &COMMAND, async |values, log| {
        let mut diagnostics = values.diagnostics();
        let endpoint = sign_in::endpoint(values.environment(), &mut diagnostics);
        let endpoint = diagnostics.accept(endpoint)?.logged(log);
        let hardware = connect(&endpoint, Credentials::Anonymous, log)?.job_hardware().await?;
        if hardware.is_empty() {
            return Err(Failure::new(Code::HubRefused, "the Hub lists no hardware for Jobs"));
        }
        let json = hardware.iter().map(to_json).collect();
        Ok(Answer { json, text: hardware.iter().map(to_line).collect() })
    })
    .await
}

fn to_json(hardware: &JobHardware) -> Value {
    json!({
        "name": hardware.name, "cpu": hardware.cpu, "ram": hardware.ram, "disk": hardware.ephemeral_storage,
        "accelerator": hardware.accelerator.as_ref().map(|gpu| json!({
            "model": gpu.model, "quantity": gpu.quantity, "vram": gpu.vram,
        })),
        "usd_per_minute": Price::of(hardware).map(Price::per_minute),
    })
}

fn to_line(hardware: &JobHardware) -> String {
    let gpu = hardware.accelerator.as_ref();
    let gpu = gpu.map(|gpu| format!("{} x {} ({})", gpu.quantity, gpu.model, gpu.vram)).unwrap_or_default();
    let price = Price::of(hardware).map(|price| format!("${:.2} per hour", price.per_hour()));
    format!(
        "{:<16}  {:>8}  {:>7}  {:<24}  {}\n",
        plain(&hardware.name),
        plain(&hardware.cpu),
        plain(&hardware.ram),
        plain(&gpu),
        price.unwrap_or_default()
    )
}
