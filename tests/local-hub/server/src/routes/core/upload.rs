//! Routes before an upload: the mode of each file, and tokens for the CAS.

use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::attributes::{IgnoreRules, LfsRules, looks_binary};
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, json_ok, set};
use crate::http::request::Req;
use crate::util::{lock, now_ms};

#[derive(Deserialize)]
struct PreuploadFile {
    path: String,
    size: f64,
    sample: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PreuploadBody {
    files: Vec<PreuploadFile>,
    git_attributes: Option<String>,
    git_ignore: Option<String>,
}

/// Maximum length of a sample, in bytes.
const SAMPLE: usize = 512;

/// `POST /api/{types}/{id}/preupload/{rev}`.
pub(crate) fn preupload(req: &Req, t: RepoType, id: &str, rev: &str) -> Answer {
    let repo = req.repo(t, id)?;
    req.caller.check_write(&repo, req.flag("create_pr"))?;
    let head = repo.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
    let body: PreuploadBody = req.json()?;
    let max = req.hub.config.preupload_max;
    if body.files.len() > max {
        return Err(HubError::new(422, format!("Too many files: {} (at most {max})", body.files.len())));
    }
    let snapshot = repo.snapshot(head)?;
    let attributes =
        body.git_attributes.or_else(|| repo.text_at(&snapshot, ".gitattributes")).unwrap_or_default();
    let ignored = body.git_ignore.or_else(|| repo.text_at(&snapshot, ".gitignore")).unwrap_or_default();
    let (rules, ignored) = (LfsRules::parse(&attributes), IgnoreRules::parse(&ignored));
    let policy = req.hub.policy.get();
    let mut files = Vec::with_capacity(body.files.len());
    for file in &body.files {
        let sample = base64::engine::general_purpose::STANDARD.decode(&file.sample).map_err(|_| {
            HubError::bad_request(format!("Invalid sample for \"{}\": not base64", file.path))
        })?;
        if sample.len() > SAMPLE {
            req.entry.violation(format!(
                "sample of {} is {} bytes, more than {SAMPLE}",
                file.path,
                sample.len()
            ));
            return Err(HubError::bad_request(format!("Sample of \"{}\" is too long", file.path)));
        }
        if file.size < 0.0 || (sample.len() as f64) > file.size {
            req.entry.violation(format!("size of {} does not fit its sample", file.path));
        }
        let large = (file.size > 0.0 || policy.empty_files_are_large)
            && (file.size > req.hub.config.large_file_threshold as f64
                || rules.matches(file.path.trim_start_matches('/'))
                || looks_binary(&sample));
        let mut row = json!({
            "path": file.path,
            "uploadMode": if large { "lfs" } else { "regular" },
            "shouldIgnore": ignored.matches(file.path.trim_start_matches('/')),
        });
        if let Some(entry) = snapshot.files.get(&file.path).filter(|_| policy.preupload_names_oids) {
            let pointer = repo.objects.blob_info(entry.oid).and_then(|i| i.pointer);
            row["oid"] = pointer.map_or_else(|| json!(entry.oid.to_string()), |p| json!(p.sha256));
        }
        files.push(row);
    }
    Ok(json_ok(&json!({"files": Value::Array(files), "commitOid": head.to_string()})))
}

/// `GET /api/{types}/{id}/xet-(write|read)-token/{rev}`: body and headers have the same values.
pub(crate) fn xet_token(req: &Req, t: RepoType, id: &str, rev: &str, write: bool) -> Answer {
    let repo = req.repo(t, id)?;
    if write {
        req.caller.check_write(&repo, req.flag("create_pr"))?;
    } else {
        req.caller.check_content(&repo)?;
    }
    // Older clients send the word `None` for pull requests.
    if rev != "None" && repo.resolve(rev).is_none() {
        return Err(HubError::revision_not_found(rev));
    }
    let Some(xet) = &req.hub.core.xet else {
        return Err(HubError::new(404, "Xet is not enabled for this repository"));
    };
    let policy = req.hub.policy.get();
    let exp = now_ms() / 1000 + policy.xet_token_seconds;
    let token = xet.token(if write { "write" } else { "read" }, exp, &lock(&repo.state).id);
    let url = policy.xet_url.as_ref().unwrap_or(&req.hub.endpoint).clone();
    let mut response = json_ok(&json!({"casUrl": url, "exp": exp, "accessToken": token}));
    set(&mut response, "x-xet-cas-url", &url);
    set(&mut response, "x-xet-access-token", &token);
    set(&mut response, "x-xet-token-expiration", &exp.to_string());
    Ok(response)
}
