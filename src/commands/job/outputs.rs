//! The outputs of a Job.

use crate::commands::outputs::{Output, outputs};
use crate::ops::job::report::JobReport;

outputs! {
    pub(super), (report: &JobReport, _timings),
    Output::own_word(
        "status",
        "Result of the run: `succeeded`, `failed`, `cancelled` or `running` (with `wait: false`).",
    ) => report.status().as_str().to_owned();
    Output::text("job_id", "Id of the Job. Empty if none was created.")
        => report.job.as_ref().map(|job| job.id.to_string()).unwrap_or_default();
    Output::text("job_url", "Page of the Job.")
        => report.job.as_ref().map(|job| job.url.clone()).unwrap_or_default();
    Output::text("job_stage", "Last stage of the Job, such as `COMPLETED`.")
        => report.stage.as_ref().map(|stage| stage.as_str().to_owned()).unwrap_or_default();
    Output::own_word("exit_code", "Exit code of the script. Empty if it is not known, as with `command`.")
        => report.exit_code.map(|code| code.to_string()).unwrap_or_default();
    Output::own_word("duration_seconds", "Seconds that the Job ran, all attempts together.")
        => report.durations.running_secs.map(|seconds| format!("{seconds:.0}")).unwrap_or_default();
    Output::own_word(
        "cost_usd",
        "Estimated cost in US dollars: the minutes that were begun, at the price of the hardware.",
    ) => report.cost().map(|cost| format!("{cost:.6}")).unwrap_or_default();
    Output::text("output_dir", "Folder with the files that the Job wrote to `/output`, relative to the workspace.")
        => report.output_dir.clone().unwrap_or_default();
    Output::own_word("output_files", "Number of these files.")
        => report.output_files.map(|count| count.to_string()).unwrap_or_default();
    Output::text("log_path", "File with the log of the Job, relative to the workspace.")
        => report.log_path.clone().unwrap_or_default();
    Output::own_word("error_code", "Code of the failure, such as `job_failed`. Empty without a failure.")
        => report.failure.as_ref().map(|failure| failure.code.as_str().to_owned()).unwrap_or_default();
}
