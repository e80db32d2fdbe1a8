//! The bucket of the run bundle.

use std::path::PathBuf;

use crate::commands::inputs::declaration::{DefaultValue, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::values::Values;
use crate::ops::bundle_bucket::BundleBucket;

inputs! {
    /// Inputs of the run bundle.
    BUNDLE: "Run bundle", "";
    BUNDLE_BUCKET = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Private bucket to which the run bundle is pushed at the end, also after a failure",
        details: "A missing bucket is created as a private one. A public bucket ends the run before anything starts.",
        default: DefaultValue::Words("the bundle stays in the workspace"),
        ..Input::new("bundle_bucket")
    };
}

/// Reason for which a dry run pushes no bundle.
pub(crate) const DRY_RUN: &str = "a dry run writes nothing to the Hub";

/// Reads the bucket.
pub(crate) fn read(values: &Values, diagnostics: &mut Diagnostics) -> Option<BundleBucket> {
    let bucket = values.field(&BUNDLE_BUCKET, str::parse, diagnostics).ok()?;
    let tls_roots = values.environment().var("SSL_CERT_FILE").map(PathBuf::from);
    Some(BundleBucket { bucket, tls_roots })
}
