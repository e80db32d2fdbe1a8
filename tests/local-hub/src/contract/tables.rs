//! Requests of official clients that the OpenAPI document does not list, each with its source.

/// An endpoint the OpenAPI document leaves out.
pub(super) struct Undocumented {
    pub(super) method: &'static str,
    /// As in the document: `{name}` is one segment, a last `{path}` is one or more.
    pub(super) template: &'static str,
    /// Query parameters it takes; `*` is any.
    pub(super) query: &'static [&'static str],
    /// JSON schema of the body; `None` means that there is none.
    pub(super) body: Option<&'static str>,
    /// Source of the endpoint.
    pub(super) source: &'static str,
}

const PY: &str = "huggingface_hub hf_api.py";
const JS: &str = "huggingface.js file-download-info.ts";
const RUNTIME: &str = "huggingface_hub _space_api.py and hf_api.py";

const fn row(
    method: &'static str,
    template: &'static str,
    query: &'static [&'static str],
    body: Option<&'static str>,
    source: &'static str,
) -> Undocumented {
    Undocumented { method, template, query, body, source }
}

/// Endpoints outside the document.
pub(super) const UNDOCUMENTED: &[Undocumented] = &[
    row(
        "DELETE",
        "/api/repos/delete",
        &[],
        Some(
            r#"{"type":"object","required":["name"],"additionalProperties":false,"properties":{"name":{"type":"string"},
            "organization":{"type":["string","null"]},"type":{"enum":["model","dataset","space","kernel",null]}}}"#,
        ),
        PY,
    ),
    row(
        "POST",
        "/api/validate-yaml",
        &[],
        Some(
            r#"{"type":"object","required":["content"],"additionalProperties":false,"properties":{
            "content":{"type":"string"},"repoType":{"enum":["model","dataset","space"]}}}"#,
        ),
        "huggingface_hub repocard.py",
    ),
    row(
        "POST",
        "/oauth/token",
        &[],
        Some(
            r#"{"type":"object","required":["grant_type","subject_token_type","subject_token","resource"],
            "properties":{"grant_type":{"type":"string"},"subject_token_type":{"type":"string"},
            "subject_token":{"type":"string"},"resource":{"type":"string"}}}"#,
        ),
        "hub-docs trusted-publishers.md",
    ),
    row("GET", "/api/models", &["*"], None, PY),
    row("GET", "/api/datasets", &["*"], None, PY),
    row("GET", "/api/spaces", &["*"], None, PY),
    row("GET", "/api/models/{namespace}/{repo}", &["expand", "blobs", "securityStatus"], None, PY),
    row("GET", "/api/datasets/{namespace}/{repo}", &["expand", "blobs", "securityStatus"], None, PY),
    row("GET", "/api/spaces/{namespace}/{repo}", &["expand", "blobs", "securityStatus"], None, PY),
    row(
        "GET",
        "/api/models/{namespace}/{repo}/revision/{rev}",
        &["expand", "blobs", "securityStatus"],
        None,
        PY,
    ),
    row(
        "GET",
        "/api/datasets/{namespace}/{repo}/revision/{rev}",
        &["expand", "blobs", "securityStatus"],
        None,
        PY,
    ),
    row(
        "GET",
        "/api/spaces/{namespace}/{repo}/revision/{rev}",
        &["expand", "blobs", "securityStatus"],
        None,
        PY,
    ),
    row(
        "GET",
        "/api/models/{namespace}/{repo}/tree/{rev}",
        &["recursive", "expand", "limit", "cursor"],
        None,
        PY,
    ),
    row(
        "GET",
        "/api/datasets/{namespace}/{repo}/tree/{rev}",
        &["recursive", "expand", "limit", "cursor"],
        None,
        PY,
    ),
    row(
        "GET",
        "/api/spaces/{namespace}/{repo}/tree/{rev}",
        &["recursive", "expand", "limit", "cursor"],
        None,
        PY,
    ),
    row("GET", "/api/models/{namespace}/{repo}/auth-check", &[], None, PY),
    row("GET", "/api/datasets/{namespace}/{repo}/auth-check", &[], None, PY),
    row("GET", "/api/spaces/{namespace}/{repo}/auth-check", &[], None, PY),
    row("GET", "/api/models/{namespace}/{repo}/auth-check/write", &[], None, PY),
    row("GET", "/api/datasets/{namespace}/{repo}/auth-check/write", &[], None, PY),
    row("GET", "/api/spaces/{namespace}/{repo}/auth-check/write", &[], None, PY),
    row("HEAD", "/{namespace}/{repo}/resolve/{rev}/{path}", &[], None, PY),
    row("HEAD", "/datasets/{namespace}/{repo}/resolve/{rev}/{path}", &[], None, PY),
    row("HEAD", "/spaces/{namespace}/{repo}/resolve/{rev}/{path}", &[], None, PY),
    row("HEAD", "/api/resolve-cache/models/{namespace}/{repo}/{rev}/{path}", &["*"], None, PY),
    row("HEAD", "/api/resolve-cache/datasets/{namespace}/{repo}/{rev}/{path}", &["*"], None, PY),
    row("HEAD", "/api/resolve-cache/spaces/{namespace}/{repo}/{rev}/{path}", &["*"], None, PY),
    row("GET", "/{namespace}/{repo}/raw/{rev}/{path}", &[], None, JS),
    row("GET", "/datasets/{namespace}/{repo}/raw/{rev}/{path}", &[], None, JS),
    row("GET", "/spaces/{namespace}/{repo}/raw/{rev}/{path}", &[], None, JS),
    row(
        "POST",
        "/{namespace}/{repo}/info/lfs/objects/batch",
        &[],
        Some(BATCH),
        "git-lfs batch specification; huggingface.js commit.ts for `sha_256`",
    ),
    row(
        "POST",
        "/datasets/{namespace}/{repo}/info/lfs/objects/batch",
        &[],
        Some(BATCH),
        "git-lfs batch specification; huggingface.js commit.ts for `sha_256`",
    ),
    row(
        "POST",
        "/spaces/{namespace}/{repo}/info/lfs/objects/batch",
        &[],
        Some(BATCH),
        "git-lfs batch specification; huggingface.js commit.ts for `sha_256`",
    ),
    row("GET", "/api/spaces/{namespace}/{repo}/runtime", &[], None, RUNTIME),
    row("GET", "/api/spaces/{namespace}/{repo}/host", &[], None, "gradio client/js api_info.ts"),
    row("POST", "/api/spaces/{namespace}/{repo}/pause", &[], None, RUNTIME),
    row("POST", "/api/spaces/{namespace}/{repo}/restart", &["factory"], None, RUNTIME),
    row(
        "POST",
        "/api/spaces/{namespace}/{repo}/hardware",
        &[],
        Some(
            r#"{"type":"object","required":["flavor"],"additionalProperties":false,"properties":{
            "flavor":{"type":"string"},"sleepTimeSeconds":{"type":"integer"}}}"#,
        ),
        RUNTIME,
    ),
    row(
        "POST",
        "/api/spaces/{namespace}/{repo}/sleeptime",
        &[],
        Some(
            r#"{"type":"object","required":["seconds"],"additionalProperties":false,"properties":{
            "seconds":{"type":"integer"}}}"#,
        ),
        RUNTIME,
    ),
    row(
        "POST",
        "/api/spaces/{namespace}/{repo}/dev-mode",
        &[],
        Some(
            r#"{"type":"object","required":["enabled"],"additionalProperties":false,"properties":{
            "enabled":{"type":"boolean"}}}"#,
        ),
        RUNTIME,
    ),
    row("GET", "/api/buckets/{namespace}/{repo}/tree", &["recursive", "limit", "cursor"], None, PY),
    row("HEAD", "/buckets/{namespace}/{repo}/resolve/{path}", &[], None, PY),
    row("DELETE", "/api/{repoType}/{namespace}/{repo}/like", &[], None, PY),
    row("POST", "/api/models/{namespace}/{repo}/duplicate", &[], Some(DUPLICATE), PY),
    row("POST", "/api/datasets/{namespace}/{repo}/duplicate", &[], Some(DUPLICATE), PY),
    row(
        "POST",
        "/api/{repoType}/{namespace}/{repo}/discussions/{num}/comment/{comment}/edit",
        &[],
        Some(
            r#"{"type":"object","required":["content"],"additionalProperties":false,"properties":{
            "content":{"type":"string","minLength":1}}}"#,
        ),
        PY,
    ),
    row(
        "POST",
        "/api/{repoType}/{namespace}/{repo}/discussions/{num}/comment/{comment}/hide",
        &[],
        Some(r#"{"type":"object","additionalProperties":false}"#),
        PY,
    ),
    row(
        "POST",
        "/api/{repoType}/{namespace}/{repo}/settings/trusted-publishers",
        &[],
        Some(r#"{"type":"object","required":["issuerUrl","claims"]}"#),
        "hub-docs trusted-publishers.md",
    ),
];

/// Body of the call that copies a model or a dataset.
const DUPLICATE: &str = r#"{"type":"object","required":["repository"],"additionalProperties":false,"properties":{
    "repository":{"type":"string"},"private":{"type":"boolean"},"visibility":{"enum":["public","private"]},
    "resourceGroupId":{"type":["string","null"]}}}"#;

/// Body of the LFS batch call.
const BATCH: &str = r#"{"type":"object","required":["operation","objects"],"additionalProperties":false,"properties":{
    "operation":{"enum":["upload","download"]},"transfers":{"type":"array","items":{"type":"string"}},
    "hash_algo":{"enum":["sha256","sha_256"]},"ref":{"type":"object","required":["name"]},
    "objects":{"type":"array","maxItems":1000,"items":{"type":"object","required":["oid","size"],
    "properties":{"oid":{"type":"string","pattern":"^[0-9a-f]{64}$"},"size":{"type":"integer","minimum":0}}}}}}"#;

/// Query parameters the document does not declare for a documented endpoint: the path part after the repository,
/// the name, and why it is accepted.
pub(super) const EXTRA_QUERY: &[(&str, &str, &str)] = &[
    ("/preupload/", "create_pr", "huggingface_hub _commit_api.py sends it for pull requests"),
    (
        "/xet-write-token/",
        "create_pr",
        "huggingface_hub utils/_xet.py: lowers the right needed to contributor",
    ),
    ("/discussions/", "diff", "huggingface_hub hf_api.py get_discussion_details asks for the diff URL"),
    ("/resolve-cache/", "*", "the redirect of a small file names its own path and ETag"),
    ("/resolve/", "noContentDisposition", "huggingface.js file-download-info.ts"),
    ("/resolve/", "download", "browsers and huggingface.js ask for an attachment with it"),
];

/// Media types other than JSON that a documented JSON endpoint takes.
pub(super) const EXTRA_MEDIA: &[(&str, &str, &str)] = &[(
    "/paths-info/",
    "application/x-www-form-urlencoded",
    "huggingface_hub hf_api.py get_paths_info sends a form",
)];

/// Complaints about requests that the official client causes: a path part, the complaint, and its source.
pub(super) const REQUEST_EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "/api/buckets/",
        "unknown key \"visibility\"",
        "huggingface_hub 2.4 hf_api.py create_bucket sends it in place of `private`",
    ),
    (
        "/settings",
        "\"cdnRegions\" is a required property",
        "huggingface_hub 2.4 hf_api.py update_bucket_settings sends `private` alone",
    ),
];

/// Complaints about this server's own answers that the real Hub's answers would raise too: a path part, the complaint,
/// and why the document is not followed there.
pub(super) const ANSWER_EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("/tree/", "'path' was unexpected", "every client reads the path of a row; the document forgets it"),
    (
        "/paths-info/",
        "'oid', 'size' were unexpected",
        "clients read the lfs oid and size; the document forgets them",
    ),
];

/// Shapes of the lines of a commit. `deletedFile` and `deletedFolder` are what official clients send where the
/// document says `deletedEntry`; `copyFile` is accepted by servers of the same protocol.
pub(super) const COMMIT_LINES: &[(&str, &str)] = &[
    (
        "header",
        r#"{"type":"object","required":["summary"],"additionalProperties":false,"properties":{
        "summary":{"type":"string","minLength":1},"description":{"type":"string"},
        "parentCommit":{"type":"string","pattern":"^[0-9a-f]{40}$"}}}"#,
    ),
    (
        "file",
        r#"{"type":"object","required":["path"],"additionalProperties":false,
        "anyOf":[{"required":["content"]},{"required":["oldPath"]}],"properties":{
        "path":{"type":"string","maxLength":1000},"content":{"type":"string"},
        "encoding":{"enum":["utf-8","base64"]},"oldPath":{"type":"string"}}}"#,
    ),
    (
        "lfsFile",
        r#"{"type":"object","required":["path"],"additionalProperties":false,
        "anyOf":[{"required":["oid"]},{"required":["oldPath","size"]}],"properties":{
        "path":{"type":"string","maxLength":1000},"oid":{"type":"string","pattern":"^[0-9a-f]{64}$"},
        "algo":{"const":"sha256"},"size":{"type":["integer","null"],"minimum":0},"oldPath":{"type":"string"}}}"#,
    ),
    ("deletedEntry", PATH_ONLY),
    ("deletedFile", PATH_ONLY),
    ("deletedFolder", PATH_ONLY),
    (
        "copyFile",
        r#"{"type":"object","required":["path","srcPath"],"additionalProperties":false,"properties":{
        "path":{"type":"string"},"srcPath":{"type":"string"},"srcRevision":{"type":"string"}}}"#,
    ),
];

/// Shapes of the lines of a batch, by their `type`: the description of the endpoint in the document.
pub(super) const BATCH_LINES: &[(&str, &str)] = &[
    (
        "addFile",
        r#"{"type":"object","required":["type","path","xetHash"],"additionalProperties":false,"properties":{
        "type":{"const":"addFile"},"path":{"type":"string","minLength":1},
        "xetHash":{"type":"string","pattern":"^[0-9a-f]{64}$"},"mtime":{"type":"integer","minimum":0},
        "mtimeNanos":{"type":"integer","minimum":0,"maximum":999999},"contentType":{"type":"string"}}}"#,
    ),
    (
        "copyFile",
        r#"{"type":"object","required":["type","path","xetHash","sourceRepoType","sourceRepoId"],
        "additionalProperties":false,"properties":{"type":{"const":"copyFile"},
        "path":{"type":"string","minLength":1},"xetHash":{"type":"string","pattern":"^[0-9a-f]{64}$"},
        "sourceRepoType":{"enum":["model","dataset","space","bucket"]},"sourceRepoId":{"type":"string"},
        "mtime":{"type":"integer","minimum":0},"mtimeNanos":{"type":"integer","minimum":0,"maximum":999999},
        "contentType":{"type":"string"}}}"#,
    ),
    (
        "deleteFile",
        r#"{"type":"object","required":["type","path"],"additionalProperties":false,"properties":{
        "type":{"const":"deleteFile"},"path":{"type":"string","minLength":1}}}"#,
    ),
];

const PATH_ONLY: &str = r#"{"type":"object","required":["path"],"additionalProperties":false,
    "properties":{"path":{"type":"string","minLength":1}}}"#;
