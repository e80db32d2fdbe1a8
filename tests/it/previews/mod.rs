//! Previews of pull requests, on a local Hub and a local GitHub.

mod closing;
mod deployments;
mod github_trouble;
mod kills;
mod left_open;
mod life;
mod opening;
mod pictures;
mod plans;
mod proxies;
mod refusals;
mod world;
