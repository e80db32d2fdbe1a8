//! The hardware of a Space.

use hub::{Flavor, SleepTime};

use crate::commands::inputs::declaration::{DefaultValue, Input, Only, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::values::{Field, Values};
use crate::commands::inputs::{lists, parse, time};
use crate::ops::space::HardwareOptions;

inputs! {
    /// Inputs of the hardware.
    HARDWARE_GROUP: "Hardware of a Space", "These inputs have an effect for Spaces only.";
    HARDWARE = Input {
        kind: ValueKind::Text("NAME"),
        summary: "Hardware of the Space, such as `t4-small`",
        default: DefaultValue::Words("the hardware that the Space has"),
        only: &[Only::Spaces],
        elsewhere: &["space_hardware", "flavor", "space_flavor"],
        ..Input::new("hardware")
    };
    FALLBACK_HARDWARE = Input {
        kind: ValueKind::Text("NAMES"),
        summary: "Hardware to request if the Hub does not grant `hardware`, in this order, separated by newlines or commas",
        only: &[Only::Spaces, Only::With(HARDWARE.name)],
        ..Input::new("fallback_hardware")
    };
    REQUIRE_HARDWARE = Input {
        kind: ValueKind::Flag,
        summary: "Fail if the Hub grants none of the hardware",
        details: "`false` is a warning.",
        default: DefaultValue::Value("false"),
        only: &[Only::Spaces, Only::With(HARDWARE.name)],
        ..Input::new("require_hardware")
    };
    SLEEP_TIME = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Idle time after which the Space sleeps, such as `90s`, `10m`, `2h` or `never`",
        default: DefaultValue::Words("the sleep time that the Space has"),
        only: &[Only::Spaces],
        elsewhere: &["space_sleep_time"],
        ..Input::new("sleep_time")
    };
}

pub(crate) fn read(values: &Values, diagnostics: &mut Diagnostics) -> HardwareOptions {
    let first = values.given(&HARDWARE).map(|name| flavor(&HARDWARE, name, diagnostics));
    let names = lists::names(&FALLBACK_HARDWARE, values.text(&FALLBACK_HARDWARE), diagnostics);
    let fallback: Vec<Flavor> =
        names.into_iter().filter_map(|name| flavor(&FALLBACK_HARDWARE, name, diagnostics)).collect();
    let required = values.flag(&REQUIRE_HARDWARE, diagnostics);
    let sleep_time = sleep_time(values, &SLEEP_TIME, diagnostics);
    let Some(first) = first else {
        let because = format!("{} is not set", values.quoted(&HARDWARE));
        values.warn_without(Only::With(HARDWARE.name), because, diagnostics);
        return HardwareOptions { sleep_time, ..HardwareOptions::default() };
    };
    let mut wanted: Vec<Flavor> = first.into_iter().collect();
    for flavor in fallback {
        if !wanted.contains(&flavor) {
            wanted.push(flavor);
        }
    }
    HardwareOptions { wanted, required, sleep_time, ..HardwareOptions::default() }
}

/// Parses the name of hardware. The list of all names is one hint, because several names may be wrong.
pub(crate) fn flavor(input: &Input, name: &str, diagnostics: &mut Diagnostics) -> Option<Flavor> {
    let flavor = diagnostics.take(input, name.parse());
    if flavor.is_none() {
        diagnostics.hint(format!("the Hub has {}", Flavor::list()));
    }
    flavor
}

pub(crate) fn sleep_time(values: &Values, input: &Input, diagnostics: &mut Diagnostics) -> Option<SleepTime> {
    let field = values.field(
        input,
        |text| match text {
            "never" => Ok(SleepTime::Never),
            text => parse::duration(text).map(SleepTime::After),
        },
        diagnostics,
    );
    if field != Field::Invalid {
        time::warn_without_unit(values, input, diagnostics);
    }
    field.ok()
}
