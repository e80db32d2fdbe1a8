//! `POST /api/{types}/{id}/user-access-request/{grant,handle}`: access to the files of a gated repository.

use serde_json::{Value, json};

use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, not_found, ok};
use crate::http::request::Req;
use crate::util::sha256_hex;

/// Grants access to a user, given by name or by id, or revokes it if the status is not `accepted`.
pub(crate) fn answer_request(req: &Req, t: RepoType, id: &str, call: &str) -> Answer {
    if t == RepoType::Space {
        return Err(not_found());
    }
    let repo = req.writable_repo(t, id)?;
    let body: Value = req.json()?;
    let named = |name: &str| {
        body["user"] == json!(name) || body["userId"] == json!(&sha256_hex(name.as_bytes())[..24])
    };
    let user = req.hub.accounts.find(|user| named(&user.name));
    let name = user.ok_or_else(|| HubError::new(404, "User not found"))?.name.to_lowercase();
    let accepted = call == "grant" || body["status"] == json!("accepted");
    repo.update(|state| if accepted { state.granted.insert(name) } else { state.granted.remove(&name) })?;
    Ok(ok())
}
