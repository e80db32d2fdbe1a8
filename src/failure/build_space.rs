//! Advice on Spaces that are made from models.

use hub::{Repo, shorten};

use super::{Code, Failure};
use crate::ops::build_space::Gate;
use crate::setting::{
    ALLOW_FALLBACK, FAIL_ON, MAX_HOURLY_PRICE, OVERWRITE, RUN_ID, SPACE, TEMPLATE, VERIFY,
    in_workflow_or_terminal,
};
use crate::templates::RenderError;
use crate::text::{plain, quoted};

/// Longest name of a model that a message repeats, in characters.
const LONGEST_NAME: usize = 200;

/// Returns the failure of a Space whose name another Space has. `tag` and `record` are its missing marks.
pub fn space_name_taken(space: &Repo, tag: &str, record: &str) -> Failure {
    let message = format!(
        "the {space} is there already, and this action did not make it: it has not both the tag `{tag}` and the file `{record}`"
    );
    Failure::new(Code::SpaceNameTaken, message)
        .hint(format!("set {SPACE} to another name, or rename or delete that Space; nothing was changed"))
}

/// Returns the failure of a Space that this action made for another model.
pub fn space_of_other_model(space: &Repo, found: &str, wanted: &str) -> Failure {
    let found = quoted(&shorten(found, LONGEST_NAME));
    let message = format!("the {space} is there already, for the model {found} and not for `{wanted}`");
    Failure::new(Code::SpaceNameTaken, message).hint(format!(
        "set {} to give that Space to this model, or {SPACE} to another name; nothing was changed",
        OVERWRITE.with("true")
    ))
}

/// Returns the failure of files that cannot be generated.
pub fn not_rendered(error: RenderError) -> Failure {
    match &error {
        RenderError::MissingBase { .. } | RenderError::UnsupportedTask { .. } => {
            Failure::new(Code::InvalidInput, format!("cannot generate the files of the Space: {error}"))
                .hint(format!("leave out {TEMPLATE}, or set one that suits the task of the model"))
        }
        RenderError::Template(_) => {
            Failure::new(Code::Internal, format!("cannot generate the files of the Space: {error}"))
        }
    }
}

/// Returns the failure of a generated card whose metadata block the Hub refuses.
pub fn card_refused(errors: &[String]) -> Failure {
    let errors: Vec<String> = errors.iter().map(|error| plain(error)).collect();
    Failure::new(
        Code::InvalidCard,
        format!("the Hub refuses the metadata of the generated README.md: {}", errors.join("; ")),
    )
    .hint("correct the card of the model, whose license and base model it repeats; nothing was changed")
}

/// Returns the failure of files that cannot be written.
pub fn files_not_written(error: std::io::Error) -> Failure {
    Failure::new(Code::LocalIo, "cannot write the files of the Space to this machine").caused_by(error)
}

/// Hardware that a person has to choose.
#[derive(Debug)]
pub struct ManualHardware {
    /// Reason of the Hub, if no Space was created.
    pub refusal: Option<String>,
    /// Page on which a person can choose, if there is a Space.
    pub settings_page: Option<String>,
    /// Hardware that suffices, with its price of an hour.
    pub pick: Option<(String, Option<f64>)>,
    /// Id of this run.
    pub run_id: Option<String>,
    pub may_fall_back: bool,
    /// True if an input limits the price of hardware.
    pub has_price_limit: bool,
    /// True if a call of the app has to complete the run.
    pub needs_call: bool,
}

impl ManualHardware {
    /// Returns the failure, with the way to go on.
    pub fn failure(self, space: &Repo) -> Failure {
        let message = match &self.refusal {
            Some(refusal) => format!("the {space} was not created, because it gets no hardware: {refusal}"),
            None => format!(
                "the {space} is there with its files, and the Hub grants it no hardware for its model"
            ),
        };
        let mut failure = Failure::new(Code::ManualHardwareRequired, message);
        let is_above_limit = self.may_fall_back && self.has_price_limit && self.pick.is_none();
        let pick = self.pick.map(|(hardware, price)| {
            let price = price.map(|price| format!(" (${price:.2} an hour)")).unwrap_or_default();
            format!("`{hardware}`{price}")
        });
        let pick = pick.unwrap_or_else(|| "hardware that suffices".to_owned());
        if let Some(page) = &self.settings_page {
            let run_id = self.run_id.map(|id| format!(" and {}", RUN_ID.of_another(id))).unwrap_or_default();
            let verify = in_workflow_or_terminal("the action `verify`", "`hf-deploy verify`");
            let call = self.needs_call.then(|| format!(", {}", VERIFY.of_another("inference")));
            failure = failure.hint(format!(
                "pick {pick} at {page}, then run {verify} with {}{}{run_id}",
                SPACE.of_another(&space.id),
                call.unwrap_or_default()
            ));
        }
        if is_above_limit {
            failure =
                failure.hint(format!("raise {MAX_HOURLY_PRICE}: the log lists the hardware with its prices"));
        }
        if !self.may_fall_back {
            failure = failure.hint(format!(
                "set {} to ask for {pick} without a person, with {MAX_HOURLY_PRICE} as the limit",
                ALLOW_FALLBACK.with("true")
            ));
        } else if self.settings_page.is_none() {
            failure = failure.hint(format!(
                "add a payment method at https://huggingface.co/settings/billing, so that the Hub grants {pick}"
            ));
        }
        failure
    }
}

/// Returns the failure of an app that runs, and whose inference is not proven.
pub fn not_proven(gate: &Gate) -> Failure {
    let reasons = gate.reasons.join("; ");
    Failure::new(
        Code::CheckFailed,
        format!("the app runs, and its inference is not proven ({}): {reasons}", gate.status),
    )
    .hint(format!("see the answer of the app in the run bundle, or accept this result with {FAIL_ON}"))
}
