//! The hardware of a preview and of its proxy, with the prices of an hour.

use hub::{Flavor, HardwareName, Repo};

use super::body::HardwareFacts;
use super::options::PreviewOptions;
use crate::ops::Session;
use crate::ops::proxy_space::Whole;
use crate::ops::space::hardware::hourly_price;
use crate::ops::space::{HardwareOptions, HourlyPrices, is_free};

/// Logs the prices of the paid hardware that the preview and its proxy ask for.
pub(super) async fn log_prices(whole: Whole<'_>, session: &Session<'_>) {
    let asked = [
        ("the preview", Some(&whole.deploy.space.hardware)),
        ("its proxy", whole.proxy.map(|proxy| &proxy.hardware)),
    ];
    let is_paid = |flavor: &Flavor| !is_free(&HardwareName::Known(*flavor));
    let paid = asked.iter().filter_map(|(subject, options)| Some((subject, (*options)?)));
    let paid: Vec<_> = paid.filter(|(_, options)| options.wanted.iter().any(is_paid)).collect();
    if paid.is_empty() {
        return;
    }
    let prices = HourlyPrices::read(session.hub).await;
    for (subject, options) in paid {
        session.log.info(&format!("{subject} asks for {}", described(options, &prices)));
    }
}

fn described(options: &HardwareOptions, prices: &HourlyPrices) -> String {
    let with_price = |flavor: &Flavor| match prices.of(&HardwareName::Known(*flavor)) {
        Some(0.0) => format!("`{flavor}`: free"),
        Some(price) => format!("`{flavor}`: ${price:.2} an hour while it runs"),
        None => format!("`{flavor}`: see https://huggingface.co/pricing for its price"),
    };
    let wanted: Vec<String> = options.wanted.iter().map(with_price).collect();
    let sleep = options.sleep_time.map(|time| format!("; it sleeps {time} without visitors"));
    format!("{}{}", wanted.join(", or else for "), sleep.unwrap_or_default())
}

/// Returns the hardware that the preview has, and that of its proxy if it is paid. The comment is complete without them.
pub(super) async fn read_hardware(
    options: &PreviewOptions,
    preview: &Repo,
    whole: Whole<'_>,
    session: &Session<'_>,
) -> Vec<HardwareFacts> {
    let mut found: Vec<HardwareFacts> = hardware_of(preview, false, session).await.into_iter().collect();
    let is_asked_for = !whole.deploy.space.hardware.wanted.is_empty();
    if let Some(HardwareFacts { name, price: Some(price), .. }) = found.first().filter(|_| !is_asked_for) {
        session.log.info(&format!("the preview has `{}`: ${price:.2} an hour while it runs", name.as_str()));
    }
    if let Some(proxy) = options.proxy_of(preview).filter(|_| whole.proxy.is_some()) {
        found.extend(hardware_of(&proxy, true, session).await.filter(|proxy| proxy.price.is_some()));
    }
    found
}

async fn hardware_of(space: &Repo, is_of_proxy: bool, session: &Session<'_>) -> Option<HardwareFacts> {
    let name = session.hub.runtime(space).await.ok()?.flavor()?.clone();
    let price = hourly_price(session.hub, &name).await;
    Some(HardwareFacts { name, price, is_of_proxy })
}
