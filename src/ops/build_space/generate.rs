//! The files of a Space, from the facts of the model and the choice of hardware.

use std::path::Path;

use super::options::{BuildMode, BuildOptions};
use crate::agent::program;
use crate::failure::{self, Result};
use crate::model::{Candidate, SpacePlan, ZeroGpuSize};
use crate::run_bundle::{BundleContent, BundleFile};
use crate::templates::{self, Editor, GeneratedFile, GpuSize, License, RenderInput, SmokeCall, Template};
use hub::SpaceSdk;

/// Folder of the files in the run bundle.
const GENERATED: &str = "generated";

/// The files of a Space, and the call that shows that they work.
#[derive(Debug)]
pub(super) struct Generated {
    pub(super) template: Template,
    /// Model of the record in the files.
    pub(super) model: String,
    pub(super) files: Vec<GeneratedFile>,
    pub(super) call: SmokeCall,
}

/// Generates the files for a candidate. `None` as hardware stands for a page that runs in the browser.
pub(super) fn generate(options: &BuildOptions, plan: &SpacePlan, candidate: &Candidate) -> Result<Generated> {
    let input = render_input(options, plan, candidate);
    let files = templates::render(&input).map_err(failure::build_space::not_rendered)?;
    let call = templates::smoke_call(candidate.template, &input.widget);
    Ok(Generated { template: candidate.template, model: plan.model.clone(), files, call })
}

fn render_input(options: &BuildOptions, plan: &SpacePlan, candidate: &Candidate) -> RenderInput {
    let sha = plan.sha.clone().unwrap_or_default();
    let (base_model, base_sha) = match plan.base.clone() {
        Some((base, sha)) => (Some(base), sha),
        None => (None, None),
    };
    RenderInput {
        task: Some(plan.task.clone()),
        base_model,
        base_sha,
        instance_prompt: plan.instance_prompt.clone(),
        license: plan.license.clone().map(|id| License {
            id,
            name: plan.license_name.clone(),
            link: plan.license_link.clone(),
        }),
        hardware: candidate.hardware.map(|flavor| flavor.to_string()),
        gpu_size: match candidate.size {
            Some(ZeroGpuSize::XLarge) => GpuSize::Xlarge,
            Some(ZeroGpuSize::Large) | None => GpuSize::Large,
        },
        duration_seconds: candidate.duration,
        weights_bytes: plan.weights_bytes,
        is_public: plan.is_public,
        trust_remote_code: plan.trusts_code,
        variant: plan.variant.map(str::to_owned),
        bitsandbytes: plan.is_bitsandbytes,
        widget: plan.widget.clone(),
        is_scaffold: options.mode == BuildMode::SafeScaffold,
        editor: options.agent.as_ref().filter(|_| !is_static(candidate.template)).map(|agent| Editor {
            model: agent.model.clone(),
            package: format!("{} {}", program::PACKAGE, program::PACKAGE_VERSION),
        }),
        ..RenderInput::new(candidate.template, plan.model.clone(), sha)
    }
}

/// Returns true for a template of a page that runs in the browser.
pub(super) fn is_static(template: Template) -> bool {
    template.manifest().sdk == SpaceSdk::Static
}

impl Generated {
    /// Writes the files to a folder.
    pub(super) fn write_to(&self, folder: &Path) -> Result<()> {
        for file in &self.files {
            std::fs::write(folder.join(file.path), &file.text)
                .map_err(failure::build_space::files_not_written)?;
        }
        Ok(())
    }

    /// Returns the files for the run bundle.
    pub(super) fn bundle_files(&self) -> impl Iterator<Item = BundleFile> {
        self.files.iter().map(|file| BundleFile {
            path: format!("{GENERATED}/{}", file.path),
            content: BundleContent::Text(file.text.clone()),
        })
    }
}
