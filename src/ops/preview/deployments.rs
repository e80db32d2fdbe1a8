//! The deployments of a repo on GitHub.

use hub::{Repo, RepoName, RepoType};

use crate::github::{DeploymentState, Error, Github, NewStatus};

/// Environment of all previews.
pub const ENVIRONMENT: &str = "preview";
/// Number of inactive deployments in a row after which older ones are not looked at, because earlier runs did it.
const INACTIVE_IN_A_ROW: usize = 5;

/// Returns the task of the deployments of a repo, by which later runs find them, in whatever case its name is written.
pub fn task(repo: &Repo) -> String {
    format!("hf-deploy:{}", repo.page()).to_ascii_lowercase()
}

/// Returns the Space that deployments with a task are about: `None` for the tasks of others.
pub fn subject_of(task: &str) -> Option<Repo> {
    let id = task.strip_prefix("hf-deploy:spaces/")?.parse::<RepoName>().ok()?.full()?;
    Some(Repo { repo_type: RepoType::Space, id })
}

/// Sets the deployments of a repo to `inactive`, except for one. Returns how many that were.
///
/// GitHub does this itself only after a success, and neither for transient nor for production environments.
///
/// # Errors
///
/// GitHub refuses, or cannot be reached.
pub async fn deactivate(
    github: &Github,
    environment: &str,
    repo: &Repo,
    except: Option<u64>,
    description: &str,
) -> Result<usize, Error> {
    let (mut changed, mut in_a_row) = (0, 0);
    for deployment in github.list_deployments(environment, Some(&task(repo))).await? {
        if Some(deployment.id) == except {
            continue;
        }
        if in_a_row == INACTIVE_IN_A_ROW {
            break;
        }
        if github.deployment_state(deployment.id).await? == Some(DeploymentState::Inactive) {
            in_a_row += 1;
            continue;
        }
        in_a_row = 0;
        let status = NewStatus {
            state: DeploymentState::Inactive,
            description: description.to_owned(),
            environment_url: None,
            log_url: None,
        };
        github.set_deployment_status(deployment.id, &status).await?;
        changed += 1;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_names_its_space() {
        let id = "Ada/App-pr-12".parse::<RepoName>().unwrap().full().unwrap();
        let found = subject_of(&task(&Repo { repo_type: RepoType::Space, id })).unwrap();
        assert_eq!(found.id.to_string(), "ada/app-pr-12");
        for other in ["deploy", "hf-deploy:ada/app", "hf-deploy:datasets/ada/app", "hf-deploy:spaces/app"] {
            assert_eq!(subject_of(other), None, "{other}");
        }
    }
}
