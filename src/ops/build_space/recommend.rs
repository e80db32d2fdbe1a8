//! The recommendation for a model: facts are fetched, and the analysis itself is pure.

use std::time::Duration;

use hub::{
    FileAccess, Hub, ModelInfo, ModelLookup, ModelParts, Repo, RepoId, RepoName, RepoType, Revision, Secret,
    WhoAmI,
};

use crate::action::Log;
use crate::failure::{self, Result};
use crate::model::{
    self, Account, Analysis, Base, Grant, ModelFacts, Prices, RuntimeChoice, Settings, SpaceAccess,
};
use crate::ops::account::Plan;
use crate::ops::account::rights::can_pay;
use crate::templates::Template;

/// Time allowed for the prices. Without them, the recommendation names none.
const PRICES_TIMEOUT: Duration = Duration::from_secs(5);
/// Number of requests before the Space is created. Prices that nothing depends on are left out if it is reached. Two cases
/// need one more: an adapter whose base is gated, and a limit of the price for paid hardware beside another extra request.
const MAX_REQUESTS: usize = 4;
/// Those of them that look at the Space, after the recommendation.
const FOR_THE_SPACE: usize = 1;

/// A model, and the wishes for its Space.
#[derive(Debug, Clone)]
pub struct ModelQuestion {
    pub model: RepoId,
    pub revision: Revision,
    pub settings: Settings,
    /// Token of the Space.
    pub space_token: Option<Secret>,
    /// Prices are wanted even if no paid hardware comes first, because nothing is created.
    pub wants_prices: bool,
}

/// Analyzes a model, without any write. `namespace` is that of the Space: `None` is the user of the token.
///
/// Obstacles of the model are a part of the result, also that it does not exist.
///
/// # Errors
///
/// The Hub cannot be asked, or has no such revision.
pub async fn recommend(
    hub: &Hub,
    question: &ModelQuestion,
    namespace: Option<&str>,
    log: &Log,
) -> Result<Analysis> {
    let mut reader = Reader { hub: reading(hub), question, requests: 0 };
    let facts = match reader.facts(log).await? {
        Ok(facts) => facts,
        Err(analysis) => return Ok(*analysis),
    };
    let account = reader.account(hub, namespace).await?;
    let settings = &question.settings;
    let may_pay = settings.may_pay();
    let unpriced =
        Settings { max_hourly_price: settings.max_hourly_price.filter(|_| may_pay), ..settings.clone() };
    let first = model::analyze(&facts, &unpriced, &account, &Prices::default());
    let is_decisive = may_pay && settings.max_hourly_price.is_some();
    let has_room = reader.requests + FOR_THE_SPACE < MAX_REQUESTS;
    if first.is_blocked() || !(question.wants_prices || is_decisive || has_room) {
        return Ok(first);
    }
    let prices = match tokio::time::timeout(PRICES_TIMEOUT, hub.prices()).await {
        Ok(Ok(prices)) => prices,
        Ok(Err(error)) => {
            log.info(&format!("no prices: {error}"));
            return Ok(first);
        }
        Err(_) => {
            log.info(&format!("no prices: the Hub did not answer within {} s", PRICES_TIMEOUT.as_secs()));
            return Ok(first);
        }
    };
    let prices = prices.into_iter().filter_map(|price| Some((price.name.clone(), price.per_hour()?)));
    Ok(model::analyze(&facts, settings, &account, &Prices::new(prices)))
}

/// Returns the client that reads models. A token of trusted publishing is for one repo, which is no model.
fn reading(hub: &Hub) -> Hub {
    if hub.uses_trusted_publishing() { hub.anonymous() } else { hub.clone() }
}

/// Reads facts, and counts its requests.
struct Reader<'a> {
    hub: Hub,
    question: &'a ModelQuestion,
    requests: usize,
}

/// Facts, or the analysis of a model that the Hub does not show.
type Known = std::result::Result<ModelFacts, Box<Analysis>>;

impl Reader<'_> {
    async fn facts(&mut self, log: &Log) -> Result<Known> {
        let question = self.question;
        let id = question.model.to_string();
        let unknown = |blocker| Ok(Err(Box::new(Analysis::of_nothing(&id, blocker))));
        let mut info = match self.look_up(&question.model, &question.revision, self.parts()).await? {
            ModelLookup::Found(info) => *info,
            ModelLookup::NoModel(_) => return unknown(model::not_found(self.hub.has_token())),
            ModelLookup::Disabled(refusal) => return unknown(model::disabled(&refusal.message)),
            ModelLookup::NoRevision => {
                return Err(failure::model::no_revision(&question.model, &question.revision));
            }
        };
        let mut in_place_of = None;
        let stand_in = question.settings.use_base_model && model::wants_base(&info);
        if let Some(base) = model::base_ids(&info).first().filter(|_| stand_in).and_then(|id| repo_id(id)) {
            match self.look_up(&base, &Revision::default(), self.parts()).await? {
                ModelLookup::Found(found) => {
                    log.info(&format!("using the base model `{base}` in place of `{id}`"));
                    in_place_of = Some(std::mem::replace(&mut info, *found).id);
                }
                ModelLookup::NoModel(refusal) | ModelLookup::Disabled(refusal) => {
                    log.warning(&failure::model::base_not_used(&base, Some(&refusal)));
                }
                ModelLookup::NoRevision => {
                    log.warning(&failure::model::base_not_used(&base, None));
                }
            }
        }
        let base = self.base(&info).await?;
        let has_sizes = info.files.iter().all(|file| file.size.is_some());
        let needs_sizes =
            matches!(base, Base::None) && self.loads_weights() && model::needs_file_sizes(&info);
        if needs_sizes && !has_sizes {
            self.add_sizes(&mut info).await?;
        }
        let code = model::code_file(&info);
        let code = code.filter(|_| question.settings.trust_remote_code && self.loads_weights());
        let (access, code) = self.access(&info, code).await?;
        Ok(Ok(ModelFacts { info, base, access, code, in_place_of }))
    }

    async fn look_up(
        &mut self,
        model: &RepoId,
        revision: &Revision,
        parts: ModelParts,
    ) -> Result<ModelLookup> {
        self.requests += 1;
        Ok(self.hub.model(&repo(model), revision, parts).await?)
    }

    /// Returns the parts of a model to ask for. With a token of the Space, the access is a request of its own, so that
    /// the sizes of the files come with the facts. That answer lacks the providers.
    fn parts(&self) -> ModelParts {
        let asks_providers = self.question.settings.template == Some(Template::ProviderChat);
        if self.question.space_token.is_some() && self.loads_weights() && !asks_providers {
            ModelParts::WithSizes
        } else {
            ModelParts::Expanded
        }
    }

    /// Returns true if the Space may load weights, whose size matters then.
    fn loads_weights(&self) -> bool {
        !matches!(self.question.settings.runtime, RuntimeChoice::Static | RuntimeChoice::Provider)
    }

    /// Reads the base model of an adapter, with the sizes of its files.
    async fn base(&mut self, info: &ModelInfo) -> Result<Base> {
        if !model::is_adapter(info) {
            return Ok(Base::None);
        }
        let Some(id) = model::base_ids(info).into_iter().next() else { return Ok(Base::Unnamed) };
        let Some(base) = repo_id(&id) else { return Ok(Base::Unnamed) };
        Ok(match self.look_up(&base, &Revision::default(), ModelParts::WithSizes).await? {
            ModelLookup::Found(info) => {
                let (access, _) = self.access(&info, None).await?;
                Base::Found { info, access }
            }
            ModelLookup::NoModel(refusal) | ModelLookup::Disabled(refusal) => {
                Base::Hidden { id, reason: refusal.to_string() }
            }
            ModelLookup::NoRevision => Base::Hidden { id, reason: "it has no branch `main`".to_owned() },
        })
    }

    /// Adds the sizes of the files.
    async fn add_sizes(&mut self, info: &mut ModelInfo) -> Result<()> {
        let (Some(sha), Some(id)) = (&info.sha, repo_id(&info.id)) else { return Ok(()) };
        self.requests += 1;
        let files = self.hub.list_files(&repo(&id), sha, None).await?;
        let sizes: std::collections::HashMap<String, u64> =
            files.into_iter().map(|file| (file.path, file.size)).collect();
        for file in &mut info.files {
            file.size = sizes.get(&file.path).copied();
        }
        Ok(())
    }

    /// Checks the access of the Space to the files of a model, or that of the user if the Space has no token. Returns the
    /// text of `code` as well, a file that is read in place of a look at another one.
    async fn access(
        &mut self,
        info: &ModelInfo,
        code: Option<String>,
    ) -> Result<(SpaceAccess, Option<String>)> {
        let is_open = !info.private && info.gated.is_none();
        let token = self.question.space_token.as_ref().filter(|_| !is_open);
        let of_space = token.map(|token| self.hub.with_token(token.clone())).transpose()?;
        let hub = of_space.as_ref().unwrap_or(&self.hub);
        let (Some(sha), Some(id)) = (&info.sha, repo_id(&info.id)) else {
            return Ok((access_of(is_open, of_space.is_some(), None), None));
        };
        let mut text = None;
        let checked = match (code, model::file_to_check(info)) {
            (Some(file), _) => {
                self.requests += 1;
                match hub.read_file_at_commit(&repo(&id), sha, &file).await {
                    Ok(bytes) => {
                        text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                        Some(Ok(()))
                    }
                    Err(error) if !is_open && matches!(error.status(), Some(401 | 403)) => {
                        Some(Err(error.refusal().map_or_else(|| error.to_string(), ToString::to_string)))
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            (None, Some(path)) if !is_open && hub.has_token() => {
                self.requests += 1;
                Some(match hub.file_access(&repo(&id), sha, path).await? {
                    FileAccess::Granted => Ok(()),
                    FileAccess::Refused(refusal) => Err(refusal.to_string()),
                })
            }
            _ => None,
        };
        Ok((access_of(is_open, of_space.is_some(), checked), text))
    }

    /// Predicts the rights of the account, as far as its token shows them.
    async fn account(&mut self, hub: &Hub, namespace: Option<&str>) -> Result<Account> {
        if !hub.has_token() || hub.uses_trusted_publishing() {
            return Ok(Account::default());
        }
        self.requests += 1;
        let user = hub.whoami().await?;
        Ok(account_of(&user, namespace.unwrap_or(&user.name)))
    }
}

/// Judges the access of the Space by the answer to a look at a file: of the Space's token, or of the user's.
fn access_of(
    is_open: bool,
    has_token: bool,
    checked: Option<std::result::Result<(), String>>,
) -> SpaceAccess {
    match (has_token, checked) {
        _ if is_open => SpaceAccess::Granted,
        (true, None | Some(Ok(()))) => SpaceAccess::Granted,
        (true, Some(Err(reason))) => SpaceAccess::Refused(reason),
        (false, user) => SpaceAccess::NoToken { user },
    }
}

/// Predicts the rights of a namespace.
fn account_of(user: &WhoAmI, namespace: &str) -> Account {
    let plan = Plan::of(user, namespace);
    let own = user.name == namespace;
    let cpu_basic = match &plan {
        Plan::Pro | Plan::Org(_) => Grant::Yes,
        Plan::Free => Grant::No(format!(
            "the Hub answers 402 without a paid plan, and `{namespace}` is on the free one"
        )),
        Plan::Hidden(_) => Grant::Unknown,
    };
    let zero_gpu = match &plan {
        Plan::Pro | Plan::Org(_) => Grant::Yes,
        Plan::Free if own && user.email_verified == Some(false) => {
            Grant::No(format!("the e-mail address of `{namespace}` is not confirmed"))
        }
        Plan::Free | Plan::Hidden(_) => Grant::Unknown,
    };
    let paid_hardware = match can_pay(user, namespace) {
        Some(true) => Grant::Yes,
        Some(false) => Grant::No(format!("`{namespace}` has no payment method")),
        None => Grant::Unknown,
    };
    Account { cpu_basic, zero_gpu, paid_hardware }
}

fn repo(id: &RepoId) -> Repo {
    Repo { repo_type: RepoType::Model, id: id.clone() }
}

/// Returns the id of a repo that the Hub or an author named.
pub(super) fn repo_id(id: &str) -> Option<RepoId> {
    id.parse::<RepoName>().ok()?.full()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plan_decides_what_the_account_gets() {
        let of = |user: serde_json::Value, namespace: &str| {
            let account = account_of(&serde_json::from_value(user).unwrap(), namespace);
            let word = |grant: &Grant| match grant {
                Grant::Yes => "yes",
                Grant::No(_) => "no",
                Grant::Unknown => "unknown",
            };
            [word(&account.cpu_basic), word(&account.zero_gpu), word(&account.paid_hardware)]
        };
        assert_eq!(of(json!({"name": "ada", "isPro": true, "canPay": true}), "ada"), ["yes", "yes", "yes"]);
        assert_eq!(of(json!({"name": "ada", "canPay": false}), "ada"), ["no", "unknown", "no"]);
        assert_eq!(of(json!({"name": "ada", "emailVerified": false}), "ada"), ["no", "no", "unknown"]);
        let member = json!({"name": "ada", "orgs": [{"name": "acme", "plan": "team", "canPay": true}]});
        assert_eq!(of(member.clone(), "acme"), ["yes", "yes", "yes"]);
        assert_eq!(of(member, "elsewhere"), ["unknown", "unknown", "unknown"]);
    }
}
