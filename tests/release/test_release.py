"""Tests the decisions of .github/release/release.py on a scratch repository: each planted fault is found.

python3 -m unittest discover tests/release
"""

import contextlib
import importlib.util
import json
import os
import subprocess
import tempfile
import unittest
import unittest.mock
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".github/release/release.py"
spec = importlib.util.spec_from_file_location("release", SCRIPT)
release = importlib.util.module_from_spec(spec)
spec.loader.exec_module(release)

CLEANUP = ".github/actions/cleanup"
DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE = f"ghcr.io/acme/hf-deploy:1.2.3@{DIGEST}"
PROTECTED = {"protection_rules": [{"type": "branch_policy"}, {"type": "required_reviewers"}]}
FILES = {
    "Cargo.toml": '[workspace.package]\nversion = "1.2.3"\n',
    "proxy-template/Cargo.toml": '[package]\nversion = "1.2.3"\n',
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-21\n\n### Added\n\n- All of it.\n\n"
    "## [1.2.2] - 2026-11-01\n\n- Less.\n\n[1.2.3]: https://example.com\n",
    "README.md": "      - uses: actions/checkout@v7\n      - uses: acme/hf-deploy@v1\n        with:\n",
    ".github/workflows/deploy.yml": "      - uses: ./ # here\n",
    "action.yml": "name: hf-deploy\nruns:\n  using: docker\n  image: Dockerfile\n",
    ".github/actions/cleanup/action.yml": "name: cleanup\nruns:\n  using: docker\n  image: ../../../Dockerfile\n  args: [cleanup]\n",
    ".github/actions/cleanup/README.md": "      - uses: acme/hf-deploy/.github/actions/cleanup@v1\n",
    "src/main.rs": "fn main() {}\n",
}


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def pinned(path):
    """Returns the content of an action.yml as a release has it."""
    return FILES[path].replace(release.from_source(path), f"  image: docker://{IMAGE}\n")


class Repository(unittest.TestCase):
    """Gives each test its own repository without faults."""

    def setUp(self):
        scratch = self.enterContext(tempfile.TemporaryDirectory())
        # Without the machine's configuration of identities and signatures.
        quiet = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        self.enterContext(unittest.mock.patch.dict(os.environ, quiet))
        self.enterContext(contextlib.chdir(scratch))
        git("init", "--initial-branch=main")
        self.commit(FILES)

    def commit(self, files):
        for path, content in files.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(content)
        git("add", "--all")
        git("-c", "user.name=ada", "-c", "user.email=ada@example.com", "commit", "--message", "work")
        git("update-ref", "refs/remotes/origin/main", "HEAD")
        return git("rev-parse", "HEAD")

    def runs(self, **changes):
        head = git("rev-parse", "HEAD")
        run = {"head_sha": head, "head_branch": "main", "event": "push", "run_number": 7, "run_attempt": 1}
        run |= {"status": "completed", "conclusion": "success"} | changes
        return {"workflow_runs": [run | {"path": path} for path in release.REQUIRED]}

    def plan(self, version="1.2.3", repository="acme/hf-deploy", ref="refs/heads/main", runs=None, environment=None):
        environment = PROTECTED if environment is None else environment
        return release.plan(version, repository, ref, runs or self.runs(), environment)

    def assert_refused(self, faults, *words):
        """Asserts one fault for each of the words, and no other."""
        self.assertEqual(len(faults), len(words), faults)
        for fault, word in zip(faults, words):
            self.assertIn(word, fault)


class Plan(Repository):
    def test_a_release_that_is_ready(self):
        self.assertEqual(self.plan(), [])
        # Names on GitHub ignore case.
        self.assertEqual(self.plan(repository="Acme/HF-Deploy"), [])
        outputs = release.outputs("1.2.3", "Acme/HF-Deploy")
        self.assertEqual(outputs["image"], "ghcr.io/acme/hf-deploy")
        self.assertEqual(outputs["proxy_image"], "ghcr.io/acme/hf-deploy-proxy")
        self.assertEqual((outputs["tag"], outputs["major"], outputs["prerelease"]), ("v1.2.3", "v1", "false"))
        self.assertEqual(release.outputs("0.9.0-rc.1", "a/b")["major"], "v0")
        self.assertEqual(release.outputs("0.9.0-rc.1", "a/b")["prerelease"], "true")

    def test_versions(self):
        for version in ("v1.2.3", "1.2", "1.2.3.4", "01.2.3", "1.2.3-01", "1.2.3+4", "1.2.3 ", "1.2.3\n", ""):
            self.assert_refused(self.plan(version=version), "is no version")

    def test_versions_that_disagree(self):
        self.commit({"Cargo.toml": FILES["Cargo.toml"].replace("1.2.3", "1.2.2")})
        self.assert_refused(self.plan(), "Cargo.toml has the version `1.2.2`")
        self.commit(FILES | {"proxy-template/Cargo.toml": '[package]\nversion = "0.1.0"\n'})
        self.assert_refused(self.plan(), "proxy-template/Cargo.toml has the version `0.1.0`")

    def test_changelogs(self):
        good = FILES["CHANGELOG.md"]
        for text, word in (
            (good.replace("## [Unreleased]\n", "## [Unreleased]\n\n- More.\n"), "unreleased changes"),
            (good.replace("## [1.2.3] - 2026-11-21", "## [1.2.3]"), "no date"),
            (good.replace("2026-11-21", "soon"), "no date"),
            (good.replace("### Added\n\n- All of it.\n", ""), "has no text"),
            ("# Changelog\n\n## [Unreleased]\n", "must begin with"),
            ("# Changelog\n\n## [1.2.2] - 2026-11-01\n\n- Less.\n", "must begin with"),
        ):
            self.commit({"CHANGELOG.md": text})
            self.assert_refused(self.plan(), word)
        self.commit({"CHANGELOG.md": good.replace("## [Unreleased]\n\n", "")})
        self.assertEqual(self.plan(), [])

    def test_tags(self):
        for tag in ("v1", "v1.2.2", "v1.3.0-rc.1", "v2.0.0", "v0.9.0", "verbose"):
            git("tag", tag)
        self.assertEqual(self.plan(), [])
        git("tag", "v1.2.3")
        self.assert_refused(self.plan(), "the tag `v1.2.3` exists")
        git("tag", "--delete", "v1.2.3")
        git("tag", "v1.10.0")
        self.assert_refused(self.plan(), "`v1.10.0` is newer")

    def test_names_that_users_would_copy(self):
        readme = FILES["README.md"]
        self.commit({"README.md": readme.replace("acme", "OWNER") + "see OWNER/hf-deploy\n"})
        faults = self.plan()
        self.assert_refused(faults, "README.md:2, README.md:4: ")
        self.assertIn("s|OWNER/hf-deploy|acme/hf-deploy|g", faults[0])
        self.commit({"README.md": readme + "> There is no release yet. More.\n"})
        self.assert_refused(self.plan(), "README.md:4: delete the note")
        self.commit({"README.md": readme, ".github/workflows/deploy.yml": "# OWNER/hf-deploy@v1\n"})
        self.assert_refused(self.plan(), "deploy.yml:1: ")
        self.commit(FILES)
        other = "`acme/hf-deploy` is not this repository"
        self.assert_refused(self.plan(repository="someone/fork"), f"README.md:2: {other}", f"{CLEANUP}/README.md:1: {other}")
        page = f"{CLEANUP}/README.md"
        self.commit({page: FILES[page].replace("acme", "OWNER")})
        faults = self.plan()
        self.assert_refused(faults, f"{page}:1: ")
        self.assertTrue(faults[0].endswith(f"deploy.yml {page}`"), faults)
        self.commit({page: FILES[page].replace("acme", "other")})
        self.assert_refused(self.plan(), "`other/hf-deploy` is not this repository")
        self.commit({page: FILES[page].replace("@v1", "@v2")})
        self.assert_refused(self.plan(), "`v2` is not the major version")
        self.commit({page: FILES[page].replace("cleanup@", "clean@")})
        self.assert_refused(self.plan(), "there is no action in `.github/actions/clean`")
        self.commit(FILES)
        self.commit({"README.md": readme.replace("@v1", "@v2")})
        self.assert_refused(self.plan(), "`v2` is not the major version")
        self.commit({"README.md": readme.replace("@v1", "@v1.2.3") + "- uses: acme/hf-deploy@" + "a" * 40})
        self.assertEqual(self.plan(), [])

    def test_commits_that_are_not_on_main(self):
        self.assert_refused(self.plan(ref="refs/heads/topic"), "`refs/heads/topic`")
        behind = git("rev-parse", "HEAD")
        self.commit({"src/main.rs": "fn main() { }\n"})
        git("update-ref", "refs/remotes/origin/main", behind)
        self.assert_refused(self.plan(), "not on `main`")

    def test_runs_that_are_not_green(self):
        ci, integration = release.REQUIRED
        self.assert_refused(self.plan(runs={"workflow_runs": []}), f"{ci} has not run", f"{integration} has not run")
        for conclusion, status in (("failure", "completed"), ("cancelled", "completed"), (None, "in_progress")):
            runs = self.runs(conclusion=conclusion, status=status)
            self.assert_refused(self.plan(runs=runs), conclusion or status, conclusion or status)
        for other in ({"head_sha": "0" * 40}, {"head_branch": "topic"}, {"event": "pull_request"}):
            self.assert_refused(self.plan(runs=self.runs(**other)), "has not run", "has not run")
        # Only the newest run counts.
        old, new = self.runs(conclusion="failure"), self.runs(run_attempt=2)
        both = {"workflow_runs": new["workflow_runs"] + old["workflow_runs"]}
        self.assertEqual(self.plan(runs=both), [])
        late = self.runs(conclusion="failure", run_number=8)
        both = {"workflow_runs": late["workflow_runs"][:1] + new["workflow_runs"]}
        self.assert_refused(self.plan(runs=both), f"{ci} is not green")

    def test_an_environment_that_protects_nothing(self):
        for environment in ({}, {"protection_rules": []}, {"protection_rules": [{"type": "wait_timer"}]}):
            self.assert_refused(self.plan(environment=environment), "no required reviewers")

    def test_an_action_that_is_pinned_already(self):
        for path in ("action.yml", f"{CLEANUP}/action.yml"):
            self.commit(FILES | {path: pinned(path)})
            self.assert_refused(self.plan(), f"{path} must have the line")

    def test_an_action_that_builds_another_dockerfile(self):
        path = f"{CLEANUP}/action.yml"
        self.commit({path: FILES[path].replace("../../../", "")})
        self.assert_refused(self.plan(), "must have the line `image: ../../../Dockerfile`")

    def test_all_faults_at_once(self):
        self.commit({"Cargo.toml": FILES["Cargo.toml"].replace("1.2.3", "1.2.2"), "CHANGELOG.md": ""})
        faults = self.plan(ref="refs/heads/topic", runs={"workflow_runs": []}, environment={})
        self.assertEqual(len(faults), 6, faults)

    def test_the_command(self):
        Path("../runs.json").write_text(json.dumps(self.runs()))
        Path("../environment.json").write_text(json.dumps(PROTECTED))
        self.addCleanup(Path("../runs.json").resolve().unlink)
        self.addCleanup(Path("../environment.json").resolve().unlink)
        options = ["--repository", "acme/hf-deploy", "--ref", "refs/heads/main"]
        options += ["--runs", "../runs.json", "--environment", "../environment.json"]
        good = subprocess.run([SCRIPT, "plan", "1.2.3", *options], capture_output=True, text=True)
        self.assertEqual((good.returncode, good.stderr), (0, ""))
        self.assertIn("tag=v1.2.3\n", good.stdout)
        bad = subprocess.run([SCRIPT, "plan", "1.2.4", *options], capture_output=True, text=True)
        self.assertEqual((bad.returncode, bad.stdout), (1, ""))
        self.assertEqual(len(bad.stderr.splitlines()), 3, bad.stderr)


class Notes(Repository):
    def test_the_section_of_the_version(self):
        self.assertEqual(release.notes("1.2.3"), "### Added\n\n- All of it.")
        self.assertEqual(release.notes("1.2.2"), "- Less.")
        with self.assertRaisesRegex(release.Refused, "has no `9.9.9`"):
            release.notes("9.9.9")


class Commit(Repository):
    def test_the_tree_of_main_and_the_pinned_lines(self):
        main = git("rev-parse", "HEAD")
        made = release.commit("1.2.3", IMAGE)
        self.assertEqual(git("rev-parse", f"{made}^"), main)
        self.assertEqual(git("rev-parse", "v1.2.3^{commit}"), made)
        self.assertEqual(git("cat-file", "-t", "v1.2.3"), "tag")
        for path in ("action.yml", f"{CLEANUP}/action.yml"):
            self.assertIn(f"  image: docker://{IMAGE}\n", pinned(path))
            self.assertEqual(git("show", f"{made}:{path}"), pinned(path).strip())
        self.assertEqual(git("diff", "--name-only", main, made).split(), [f"{CLEANUP}/action.yml", "action.yml"])
        self.assertEqual(git("log", "-1", "--format=%an <%ae> %s", made), f"{release.AUTHOR} <{release.EMAIL}> release: 1.2.3")
        # `main` does not move.
        self.assertEqual(git("rev-parse", "HEAD"), main)
        self.assertEqual(git("status", "--porcelain"), "")

    def test_what_lies_about_does_not_get_in(self):
        Path("src/main.rs").write_text("changed\n")
        Path("new.txt").write_text("new\n")
        git("add", "new.txt")
        Path("action.yml").write_text("changed\n")
        made = release.commit("1.2.3", IMAGE)
        self.assertEqual(git("diff", "--name-only", f"{made}^", made).split(), [f"{CLEANUP}/action.yml", "action.yml"])
        self.assertIn(f"docker://{IMAGE}", git("show", f"{made}:action.yml"))

    def test_images_that_name_no_digest(self):
        for image in (
            "ghcr.io/acme/hf-deploy:1.2.3",
            f"ghcr.io/acme/hf-deploy@{DIGEST}",
            f"ghcr.io/acme/hf-deploy:1.2.4@{DIGEST}",
            f"ghcr.io/acme/hf-deploy:v1.2.3@{DIGEST}",
            f"ghcr.io/Acme/hf-deploy:1.2.3@{DIGEST}",
            f"ghcr.io/acme/hf-deploy:1.2.3@{DIGEST.upper()}",
            f"ghcr.io/acme/hf-deploy:1.2.3@{DIGEST[:-1]}",
            f"ghcr.io/acme/hf-deploy:1.2.3@{DIGEST}0",
            f"docker.io/acme/hf-deploy:1.2.3@{DIGEST}",
            f"{IMAGE}\n  env: {{A: b}}",
        ):
            with self.assertRaisesRegex(release.Refused, "with 64 digits", msg=image):
                release.commit("1.2.3", image)
        self.assertEqual(git("tag"), "")

    def test_a_tag_that_is_there(self):
        git("tag", "v1.2.3")
        with self.assertRaisesRegex(release.Refused, "exists already"):
            release.commit("1.2.3", IMAGE)

    def test_an_action_without_the_line(self):
        for path in ("action.yml", f"{CLEANUP}/action.yml"):
            for action in ("runs:\n  image: other\n", FILES[path] + release.from_source(path)):
                self.commit(FILES | {path: action})
                with self.assertRaisesRegex(release.Refused, f"{path} must have .* once"):
                    release.commit("1.2.3", IMAGE)
        self.assertEqual(git("tag"), "")

    def test_a_commit_that_changes_something_else(self):
        further = f"{CLEANUP}/action.yml"
        both = {path: pinned(path) for path in ("action.yml", further)}
        self.assertEqual(release.commit_faults(self.commit(both), IMAGE), [])
        self.commit(FILES)
        made = self.commit(both | {"src/main.rs": "fn main() { evil() }\n"})
        self.assert_refused(release.commit_faults(made, IMAGE), "more or less than action.yml")
        for path in both:
            self.commit(FILES)
            made = self.commit({path: both[path]})
            self.assert_refused(release.commit_faults(made, IMAGE), "more or less", "the one line of")
            for change in (("name: ", "name: x"), ("abcdef", "fedcba")):
                self.commit(FILES)
                made = self.commit(both | {path: both[path].replace(*change)})
                self.assert_refused(release.commit_faults(made, IMAGE), f"the one line of {path}")

    def test_the_command(self):
        done = subprocess.run([SCRIPT, "commit", "1.2.3", IMAGE], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, git("rev-parse", "v1.2.3^{commit}")))
        done = subprocess.run([SCRIPT, "commit", "1.2.3", IMAGE], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "release: the tag `v1.2.3` exists already\n")


class Here(unittest.TestCase):
    """Tests this repository as it is on `main`."""

    def test_its_versions_agree_and_its_changelog_is_read(self):
        with contextlib.chdir(ROOT):
            version = release.tomllib.loads(Path("Cargo.toml").read_text())["workspace"]["package"]["version"]
            self.assertEqual(list(release.version_faults(version)), [])
            self.assertTrue(release.sections())
            for path in (*release.REQUIRED, *release.COPIED_FROM):
                self.assertTrue(Path(path).is_file(), path)


if __name__ == "__main__":
    unittest.main()
