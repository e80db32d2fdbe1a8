//! `POST /api/{types}/{id}/user-access-request/{grant,handle}`: who may read the files of a gated repository.

use serde_json::{Value, json};

use crate::answer::{Answer, HubError, ok};
use crate::config::RepoType;
use crate::routes::not_found;
use crate::server::Req;
use crate::util::{lock, sha256_hex};

/// Lets a user in, or out again when the status is not `accepted`; the user is given by name or by id.
pub(crate) fn answer_request(req: &Req, t: RepoType, id: &str, call: &str) -> Answer {
    if t == RepoType::Space {
        return Err(not_found());
    }
    let repo = req.hub.repo_for(&req.caller, t, id)?;
    req.caller.check_write(&repo, false)?;
    let body: Value = req.json()?;
    let named = |name: &str| {
        body["user"] == json!(name) || body["userId"] == json!(&sha256_hex(name.as_bytes())[..24])
    };
    let user = lock(&req.hub.users).iter().find(|user| named(&user.name)).cloned();
    let name = user.ok_or_else(|| HubError::new(404, "User not found"))?.name.to_lowercase();
    let accepted = call == "grant" || body["status"] == json!("accepted");
    repo.update(|state| if accepted { state.granted.insert(name) } else { state.granted.remove(&name) })?;
    Ok(ok())
}
