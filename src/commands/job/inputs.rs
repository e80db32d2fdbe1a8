//! The inputs of a Job.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hub::{
    BucketId, Flavor, JobImage, JobName, Secret, Volume, job_namespace, label_key, label_value,
    to_label_value,
};
use url::Url;

use crate::action::GithubContext;
use crate::commands::groups::settings::{read_secrets, read_variables};
use crate::commands::groups::{bundle, sign_in};
use crate::commands::inputs::declaration::{Input, Only};
use crate::commands::inputs::diagnostics::{Accepted, Diagnostics};
use crate::commands::inputs::lists::{self, lines};
use crate::commands::inputs::parse::{self, Parsed, refuse};
use crate::commands::inputs::time;
use crate::commands::inputs::values::{Field, Values};
use crate::failure::Result;
use crate::folder::{SourceOptions, leaks};
use crate::ops::bundle_bucket::BundleBucket;
use crate::ops::job::MAX_SCRIPT;
use crate::ops::job::options::{
    ArtifactOptions, ExistingJob, JobOptions, NewJob, RUN_LABEL, RunId, Target, Work,
};
use crate::ops::space::{NamedSecret, Variable};

use super::access::NAMESPACE;
use super::declared::{
    ATTEMPTS, BUCKET, CHECKOUT, COMMAND, EXCLUDE, FLAVOR, HARDWARE, IMAGE, INCLUDE, JOB_ID, KEEP_OUTPUT,
    LABELS, MAX_COST, NAME, PASS_HF_TOKEN, RUN, SCRIPT, SECRETS, SETTINGS, SOURCE_DIR, SPACE, TIMEOUT,
    VARIABLES, VOLUMES, WAIT, WORK,
};
use super::script::{Header, ScriptFile, Time, header_value};

/// Labels that the run sets itself.
const OWN_LABELS: [&str; 7] = ["managed-by", "gh-repo", "gh-run", "gh-attempt", "gh-sha", "name", RUN_LABEL];
/// Highest number of attempts, because each of them is paid.
const MAX_ATTEMPTS: u32 = 10;
/// Longest timeout that the Hub's form offers.
const MAX_TIMEOUT_DAYS: u64 = 30;
/// Image of the official client for scripts.
const UV_IMAGE: &str = "ghcr.io/astral-sh/uv:python3.12-bookworm";
/// Secret variable for the token.
const TOKEN: &str = "HF_TOKEN";
/// Addresses of Spaces as images, as the official clients read them.
const SPACE_IMAGES: [&str; 4] =
    ["https://huggingface.co/spaces/", "https://hf.co/spaces/", "huggingface.co/spaces/", "hf.co/spaces/"];

/// Inputs of a Job.
#[derive(Debug)]
pub(super) struct JobInputs {
    pub(super) options: JobOptions,
    pub(super) token: Secret,
    /// The Hub: `HF_ENDPOINT`.
    pub(super) endpoint: Url,
    pub(super) bundle_bucket: Option<BundleBucket>,
}

impl JobInputs {
    /// Reads the inputs of the run with the id `run`.
    pub(super) fn from_values(values: &Values, run: &str) -> Result<Accepted<Self>> {
        let mut diagnostics = values.diagnostics();
        let inputs = validate(values, run, &mut diagnostics);
        diagnostics.accept(inputs)
    }
}

/// Applies every rule. `None` means that a fault was noted.
fn validate(values: &Values, run: &str, diagnostics: &mut Diagnostics) -> Option<JobInputs> {
    let github = GithubContext::from_vars(|name| values.environment().exact(name));
    let token = super::access::token(values, &github, diagnostics);
    let endpoint = sign_in::endpoint(values.environment(), diagnostics);
    let mut namespace = super::access::namespace(values, diagnostics);
    let is_waited_for = values.flag(&WAIT, diagnostics);
    let keep_output = values.flag(&KEEP_OUTPUT, diagnostics);
    let target = match values.field(&JOB_ID, str::parse::<JobName>, diagnostics) {
        Field::Absent => {
            let script = ScriptFile::read(values, &github, diagnostics);
            let in_header = script.as_ref().and_then(|script| script.header.namespace.as_deref());
            if values.given(&NAMESPACE).is_none() {
                namespace = header_value("namespace", in_header, job_namespace, diagnostics);
            }
            if !is_waited_for && !keep_output {
                let because = format!("the step that names the Job in {} decides", values.quoted(&JOB_ID));
                diagnostics.warn_without_effect(&[&KEEP_OUTPUT], because);
            }
            let job = new_job(values, &github, RunId::of_run(run), (token.as_ref(), script), diagnostics);
            job.map(|job| Target::New(Box::new(job)))
        }
        given => {
            refuse_beside_job_id(values, is_waited_for, diagnostics);
            given.ok().map(|name| Target::Existing(ExistingJob { name, keep_output }))
        }
    };
    let workspace = github.workspace.unwrap_or_else(|| ".".into());
    let tls_roots = values.environment().var("SSL_CERT_FILE").map(PathBuf::from);
    let options = JobOptions {
        namespace,
        target: target?,
        is_waited_for,
        is_cancelled_with_run: true,
        workspace,
        tls_roots,
    };
    let bundle_bucket = bundle::read(values, diagnostics);
    Some(JobInputs { options, token: token?, endpoint: endpoint?, bundle_bucket })
}

/// Notes the inputs of a new Job beside the id of an existing one.
fn refuse_beside_job_id(values: &Values, is_waited_for: bool, diagnostics: &mut Diagnostics) {
    let groups = [WORK, HARDWARE, CHECKOUT, SETTINGS];
    let inputs = groups.iter().flat_map(|group| group.inputs).filter(|input| input.name != KEEP_OUTPUT.name);
    let idle: Vec<&Input> = inputs.filter(|input| values.asks(input)).collect();
    let is_work = |input: &&Input| [RUN.name, SCRIPT.name, COMMAND.name].contains(&input.name);
    for input in idle.iter().copied().filter(is_work) {
        let job_id = values.quoted(&JOB_ID);
        diagnostics.fault(input, format!("contradicts {job_id}: leave one of them out"));
    }
    let others: Vec<&Input> = idle.into_iter().filter(|input| !is_work(input)).collect();
    let because = format!("{} names a Job that exists", values.quoted(&JOB_ID));
    diagnostics.warn_without_effect(&others, because);
    if !is_waited_for {
        let job_id = values.quoted(&JOB_ID);
        diagnostics.fault(&WAIT, format!("contradicts {job_id}, which names a Job to follow"));
    }
}

fn new_job(
    values: &Values,
    github: &GithubContext,
    run: RunId,
    (token, script): (Option<&Secret>, Option<ScriptFile>),
    diagnostics: &mut Diagnostics,
) -> Option<NewJob> {
    let work = work(values, script.as_ref(), diagnostics);
    let header = script.map(|script| script.header).unwrap_or_default();
    if header.has_network() {
        diagnostics.warn("the script asks for a network between Jobs, which this program does not make");
    }
    let image = image(values, &header, diagnostics);
    let flavor = values.field(&FLAVOR, str::parse::<Flavor>, diagnostics).ok();
    let flavor = flavor.or_else(|| {
        let in_header = header.flavor.as_deref().filter(|_| values.given(&FLAVOR).is_none());
        header_value("flavor", in_header, str::parse, diagnostics)
    });
    let flavor = flavor.unwrap_or_else(|| parse::default(&FLAVOR, str::parse));
    let timeout = time::read(values, &TIMEOUT, diagnostics).ok().or_else(|| {
        let in_header = header.timeout.as_ref().filter(|_| values.given(&TIMEOUT).is_none());
        let in_header = in_header.map(Time::to_text);
        header_value("timeout", in_header.as_deref(), parse::duration, diagnostics)
    });
    let timeout = timeout.unwrap_or_else(|| parse::default(&TIMEOUT, parse::duration));
    if timeout.as_secs() > MAX_TIMEOUT_DAYS * 86_400 {
        diagnostics.fault(&TIMEOUT, format!("must be at most {MAX_TIMEOUT_DAYS} days"));
    }
    let attempts = values.value(&ATTEMPTS, attempts, diagnostics);
    let max_cost = values.field(&MAX_COST, parse::dollars, diagnostics).ok();
    let passes_token = values.flag(&PASS_HF_TOKEN, diagnostics);
    let (environment, mut secrets) = settings(values, &header, passes_token, diagnostics);
    if let Some(token) = token.filter(|_| passes_token) {
        if secrets.contains_key(TOKEN) || environment.contains_key(TOKEN) {
            diagnostics
                .fault(&PASS_HF_TOKEN, "contradicts another `HF_TOKEN` in the variables or the secrets");
        }
        secrets.insert(TOKEN.to_owned(), token.clone());
    }
    let volumes = volumes(values, &header, diagnostics);
    let artifacts = artifacts(values, github, &volumes, diagnostics);
    let labels = labels(values, github, &header, diagnostics);
    Some(NewJob {
        run,
        work: work?,
        image: image?,
        flavor: flavor.as_str().to_owned(),
        timeout,
        attempts,
        environment,
        secrets,
        volumes,
        labels,
        max_cost,
        artifacts,
    })
}

/// Reads the options of the checkout and the output; `None` for a Job without both.
fn artifacts(
    values: &Values,
    github: &GithubContext,
    volumes: &[Volume],
    diagnostics: &mut Diagnostics,
) -> Option<ArtifactOptions> {
    let bucket = values.field(&BUCKET, str::parse::<BucketId>, diagnostics).ok();
    let keep_output = values.flag(&KEEP_OUTPUT, diagnostics);
    let patterns = |input| parse::patterns(values.text(input).unwrap_or_default());
    let root = github.workspace.clone().unwrap_or_else(|| ".".into());
    let checkout = values.given(&SOURCE_DIR).map(|folder| SourceOptions {
        root: root.join(folder),
        include: patterns(&INCLUDE),
        exclude: patterns(&EXCLUDE),
        default_excludes: true,
        workspace: Some(root.clone()),
        cache: None,
    });
    if checkout.is_none() {
        let because = format!("{} is not set", values.quoted(&SOURCE_DIR));
        values.warn_without(Only::With(SOURCE_DIR.name), because, diagnostics);
    }
    if checkout.is_none() && bucket.is_none() {
        return None;
    }
    let taken = volumes.iter().find(|volume| ["/workspace", "/output"].contains(&volume.mount.as_str()));
    if let Some(volume) = taken {
        diagnostics.fault(&VOLUMES, format!("must not mount anything at `{}`", volume.mount));
    }
    Some(ArtifactOptions { bucket, checkout, keep_output, output_stays_here: true })
}

/// Reads the script or the command; `None` is a fault.
fn work(values: &Values, script: Option<&ScriptFile>, diagnostics: &mut Diagnostics) -> Option<Work> {
    let given: Vec<&Input> =
        [&RUN, &SCRIPT, &COMMAND].into_iter().filter(|input| values.given(input).is_some()).collect();
    match given.as_slice() {
        [input] if input.name == RUN.name => values.field(&RUN, shell_script, diagnostics).ok(),
        [input] if input.name == COMMAND.name => values.field(&COMMAND, command_list, diagnostics).ok(),
        [_] => script.map(|script| Work::Python(script.python.clone())),
        [] => {
            let [script, command] = [&SCRIPT, &COMMAND].map(|input| values.quoted(input));
            diagnostics.fault(&RUN, format!("must hold a script, {script} a file, or {command} a command"));
            None
        }
        [first, second, ..] => {
            let second = values.quoted(second);
            diagnostics.fault(first, format!("contradicts {second}: leave one of them out"));
            None
        }
    }
}

fn shell_script(text: &str) -> Parsed<Work> {
    if text.len() > MAX_SCRIPT {
        return refuse(format!("must be shorter than {MAX_SCRIPT} bytes: put the rest into a file"));
    }
    if text.contains('\0') {
        return refuse("must not hold a zero byte");
    }
    Ok(Work::Script(text.to_owned()))
}

fn command_list(text: &str) -> Parsed<Work> {
    const FORM: &str = "must be a JSON list of texts, such as `[\"python\", \"train.py\"]`";
    let Ok(words) = serde_json::from_str::<Vec<String>>(text) else { return refuse(FORM) };
    if words.is_empty() || words.iter().any(|word| word.is_empty() || word.contains('\0')) {
        return refuse(format!("{FORM}, without empty ones"));
    }
    Ok(Work::Command(words))
}

/// Reads the image; `None` is a fault.
fn image(values: &Values, header: &Header, diagnostics: &mut Diagnostics) -> Option<JobImage> {
    let [image, space] = [&IMAGE, &SPACE].map(|input| values.given(input));
    match (image, space) {
        (None, None) if values.given(&SCRIPT).is_some() => {
            let image = header.image.as_deref().unwrap_or(UV_IMAGE);
            header_value("image", Some(image), image_name, diagnostics)
        }
        (Some(_), None) => values.field(&IMAGE, image_name, diagnostics).ok(),
        (None, Some(_)) => values.field(&SPACE, space_image, diagnostics).ok(),
        (None, None) => {
            let space = values.quoted(&SPACE);
            diagnostics.fault(&IMAGE, format!("must name an image, or {space} a Space with one"));
            None
        }
        (Some(_), Some(_)) => {
            let space = values.quoted(&SPACE);
            diagnostics.fault(&IMAGE, format!("contradicts {space}: leave one of them out"));
            None
        }
    }
}

fn image_name(text: &str) -> Parsed<JobImage> {
    if let Some(space) = SPACE_IMAGES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        return space_image(space);
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) || text.contains("://") {
        return parse::not_like("an image, like `python:3.12`", text);
    }
    Ok(JobImage::Docker(text.to_owned()))
}

fn space_image(text: &str) -> Parsed<JobImage> {
    let name: hub::RepoName = text.parse()?;
    match name.full() {
        Some(id) => Ok(JobImage::Space(id.to_string())),
        None => refuse("must be `namespace/name`"),
    }
}

fn attempts(text: &str) -> Parsed<u32> {
    match text.parse() {
        Ok(number @ 1..=MAX_ATTEMPTS) => Ok(number),
        _ => parse::not_like(&format!("a number from 1 to {MAX_ATTEMPTS}"), text),
    }
}

/// Reads variables and secrets.
fn settings(
    values: &Values,
    header: &Header,
    passes_token: bool,
    diagnostics: &mut Diagnostics,
) -> (BTreeMap<String, String>, BTreeMap<String, Secret>) {
    let mut variables = read_variables(values, [&VARIABLES, &SECRETS], diagnostics);
    for (key, value) in &header.env {
        if !lists::is_key(key) {
            diagnostics.fault(
                &SCRIPT,
                format!(
                    "has a variable in its header whose name must be letters, digits and `_`, not `{key}`"
                ),
            );
        } else if variables.iter().all(|variable| variable.key != *key) {
            variables.push(Variable { key: key.clone(), value: value.clone() });
        }
    }
    let mut secrets = read_secrets(values, &SECRETS, false, diagnostics).named;
    for key in &header.secrets {
        if secrets.iter().any(|secret| secret.key == *key) || (key == TOKEN && passes_token) {
            continue;
        }
        match values.environment().exact(key).filter(|value| lists::is_key(key) && !value.trim().is_empty()) {
            Some(value) => {
                diagnostics.hide(value);
                secrets.push(NamedSecret { key: key.clone(), value: Secret::new(value) });
            }
            None => {
                let holder = values.place().environment();
                diagnostics
                    .fault(&SCRIPT, format!("asks for the secret `{key}`, which {holder} does not set"));
                if key == TOKEN {
                    let setting = values.place().setting(&PASS_HF_TOKEN, "true");
                    diagnostics.hint(format!("set `{setting}` to pass the token of this step"));
                }
            }
        }
    }
    for variable in &variables {
        let key = &variable.key;
        if key.len() < 2 {
            diagnostics.fault(&VARIABLES, format!("must hold names of at least two characters, not `{key}`"));
        }
        if secrets.iter().any(|secret| secret.key == *key) {
            let input = values.quoted(&VARIABLES);
            diagnostics.fault(&SECRETS, format!("names `{key}`, and so does {input}"));
        }
        if let Some(why) = leaks::in_variable(key, &variable.value) {
            let secrets = values.quoted(&SECRETS);
            let name = diagnostics.name(&VARIABLES);
            diagnostics.warn(format!(
                "`{name}` holds `{key}`, which {why}: members of the namespace can read it (name it in {secrets} instead)"
            ));
        }
    }
    let variables = variables.into_iter().map(|variable| (variable.key, variable.value));
    let secrets = secrets.into_iter().map(|secret| (secret.key, secret.value));
    (variables.collect(), secrets.collect())
}

fn volumes(values: &Values, header: &Header, diagnostics: &mut Diagnostics) -> Vec<Volume> {
    let mut volumes: Vec<Volume> = Vec::new();
    let text = values.given(&VOLUMES);
    if lists::is_another_notation(&VOLUMES, "one volume per line", text, diagnostics) {
        return volumes;
    }
    for (_, line) in lines(text) {
        let Some(volume) = diagnostics.take(&VOLUMES, line.parse::<Volume>()) else { continue };
        if volumes.iter().any(|other| other.mount == volume.mount) {
            diagnostics.fault(&VOLUMES, format!("must not mount two things at `{}`", volume.mount));
        }
        volumes.push(volume);
    }
    for text in &header.volumes {
        let volume = header_value("volumes", Some(text), str::parse::<Volume>, diagnostics);
        volumes.extend(volume.filter(|volume| volumes.iter().all(|other| other.mount != volume.mount)));
    }
    volumes
}

/// Reads the labels, and adds those of the run.
fn labels(
    values: &Values,
    github: &GithubContext,
    header: &Header,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (key, value) in header.labels.iter().filter(|(key, _)| !OWN_LABELS.contains(&key.as_str())) {
        let key = header_value("labels", Some(key), |key| label_key(key).map(str::to_owned), diagnostics);
        let value =
            header_value("labels", Some(value), |value| label_value(value).map(str::to_owned), diagnostics);
        labels.extend(key.zip(value));
    }
    let text = values.text(&LABELS);
    if !lists::is_another_notation(&LABELS, lists::KEY_VALUES, text, diagnostics) {
        for (number, line) in lines(text) {
            let Some((key, value)) = line.split_once('=') else {
                diagnostics
                    .fault(&LABELS, format!("must hold {}: line {number} has no `=`", lists::KEY_VALUES));
                continue;
            };
            let (key, value) = (key.trim(), value.trim());
            if OWN_LABELS.contains(&key) {
                diagnostics.fault(&LABELS, format!("must not set `{key}`, which the run sets itself"));
                continue;
            }
            let key = diagnostics.take(&LABELS, label_key(key));
            let value = diagnostics.take(&LABELS, label_value(value));
            if let (Some(key), Some(value)) = (key, value) {
                labels.insert(key.to_owned(), value.to_owned());
            }
        }
    }
    let mut add = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            labels.insert(key.to_owned(), to_label_value(value));
        }
    };
    let var = |name: &str| values.environment().var(name);
    let name =
        values.given(&NAME).or(header.name.as_deref()).or(github.repository_name()).unwrap_or("hf-deploy");
    add("name", Some(name));
    add("managed-by", Some("hf-deploy"));
    add("gh-repo", github.repository.as_deref());
    add("gh-run", var("GITHUB_RUN_ID"));
    add("gh-attempt", var("GITHUB_RUN_ATTEMPT"));
    add("gh-sha", github.sha.as_deref());
    labels
}
