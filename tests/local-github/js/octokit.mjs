// GitHub's own client against the local GitHub. Arguments: the binary, and GitHub's OpenAPI document.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [binary, openapi, modules] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { Octokit } = await import(require.resolve("@octokit/rest"));

const server = spawn(binary, [
  "--token", "ghs_workflow", "--person-token", "ghp_person", "--repository", "octo/hello", "--pull", "7",
  "--openapi", openapi,
], { stdio: ["ignore", "pipe", "inherit"] });
const lines = createInterface({ input: server.stdout });
const breaches = [];
try {
  const baseUrl = await new Promise((resolve, reject) => {
    server.once("exit", (code) => reject(new Error(`the local GitHub ended with ${code}`)));
    lines.on("line", (line) => (line.startsWith("http") ? resolve(line) : breaches.push(line)));
  });
  const octokit = new Octokit({ auth: "ghs_workflow", baseUrl });
  const repo = { owner: "octo", repo: "hello" };

  const { data: pull } = await octokit.rest.pulls.get({ ...repo, pull_number: 7 });
  assert.equal(pull.state, "open");

  for (let number = 0; number < 120; number++) {
    await octokit.rest.issues.createComment({ ...repo, issue_number: 7, body: `comment ${number}` });
  }
  const comments = await octokit.paginate(octokit.rest.issues.listComments, { ...repo, issue_number: 7, per_page: 50 });
  assert.equal(comments.length, 120);
  const { data: changed } = await octokit.rest.issues.updateComment({ ...repo, comment_id: comments[0].id, body: "new" });
  assert.equal(changed.body, "new");
  await octokit.rest.issues.deleteComment({ ...repo, comment_id: comments[1].id });
  await assert.rejects(octokit.rest.issues.getComment({ ...repo, comment_id: comments[1].id }), { status: 404 });

  const { data: deployment } = await octokit.rest.repos.createDeployment({
    ...repo, ref: pull.head.sha, environment: "preview", transient_environment: true, production_environment: false,
    auto_merge: false, required_contexts: [],
  });
  for (const state of ["in_progress", "success", "inactive"]) {
    await octokit.rest.repos.createDeploymentStatus({ ...repo, deployment_id: deployment.id, state });
  }
  const { data: statuses } = await octokit.rest.repos.listDeploymentStatuses({ ...repo, deployment_id: deployment.id });
  assert.deepEqual(statuses.map((status) => status.state), ["inactive", "success", "in_progress"]);

  const { data: recent } = await octokit.rest.issues.listCommentsForRepo({ ...repo, sort: "updated", direction: "desc", per_page: 5 });
  assert.equal(recent.length, 5);

  // The account of a workflow's token is a question for GraphQL.
  await assert.rejects(octokit.rest.users.getAuthenticated(), { status: 403 });
  assert.equal((await octokit.graphql("query { viewer { login } }")).viewer.login, "github-actions[bot]");
  await assert.rejects(octokit.graphql("{ rateLimit { cost } }"));
  const person = new Octokit({ auth: "ghp_person", baseUrl });
  assert.equal((await person.rest.users.getAuthenticated()).data.login, "octocat");
  assert.equal((await person.graphql("{ viewer { login } }")).viewer.login, "octocat");
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual(breaches, []);
  console.log("Octokit: comments, deployments, pull requests and users as on GitHub");
} finally {
  server.kill();
}
