#!/usr/bin/env python3
"""The decisions of a release; .github/workflows/release.yml calls them in this order.

    release.py plan VERSION --repository OWNER/NAME --ref REF --runs FILE --environment FILE
        prints outputs for the following jobs, or every reason not to release this commit
    release.py commit VERSION IMAGE
        creates the release commit and its tag from HEAD, with the image in each action.yml; pushes nothing
    release.py notes VERSION
        prints its section of the changelog

Needs git and Python 3.11, and nothing else.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

# https://semver.org, without build metadata, because image tags and `uses:` cannot contain it.
SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
)
IMAGE = re.compile(r"ghcr\.io/[a-z0-9]+(?:[._/-]+[a-z0-9]+)*:(?P<tag>[^@:/]+)@sha256:[0-9a-f]{64}")
# Workflows that must be green for the commit. In a fork without a Hugging Face account, the integration run is green
# too, because it skips with a notice.
REQUIRED = (".github/workflows/ci.yml", ".github/workflows/integration-hf.yml")
# Files that users copy from, so their names and versions must be right; and the README of each further action.
COPIED_FROM = ("README.md", ".github/workflows/deploy.yml")
# The action in the root, and all others, which users name as `OWNER/hf-deploy/.github/actions/NAME`.
DEPLOY = "action.yml"
FURTHER = re.compile(r"\.github/actions/[^/]+/action\.yml")
# The note of README before the first release.
NO_RELEASE = "There is no release yet"
PLACEHOLDER = "OWNER/hf-deploy"
ENVIRONMENT = "release"
AUTHOR = "github-actions[bot]"
EMAIL = "41898282+github-actions[bot]@users.noreply.github.com"


class Refused(Exception):
    """The reasons not to release."""


def git(*arguments, env=None, text=None):
    """Returns the output of a git command."""
    done = subprocess.run(
        ["git", *arguments], input=text, env=env and {**os.environ, **env}, capture_output=True, text=True
    )
    if done.returncode:
        raise Refused(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout


def matches(*arguments):
    """Reports whether a git command exits with 0."""
    return subprocess.run(["git", *arguments], capture_output=True).returncode == 0


def actions(commit):
    """Returns the path of each action.yml."""
    paths = git("ls-tree", "-r", "-z", "--name-only", commit, "--", ".github/actions").split("\0")
    return [DEPLOY, *filter(FURTHER.fullmatch, paths)]


def from_source(path):
    """Returns the only line of an action.yml that a release changes. Each is built from the one Dockerfile in the root."""
    return f"  image: {'../' * path.count('/')}Dockerfile\n"


def source_faults(path):
    """Refuses an action.yml that does not build from the source at HEAD."""
    if git("show", f"HEAD:{path}").count(from_source(path)) != 1:
        yield f"{path} must have the line `{from_source(path).strip()}`, once"


def sections():
    """Returns the changelog as (version, date, text), newest first. Unreleased changes have an empty date."""
    parts = re.split(r"^## \[(.+?)\](?: - (.*))?$", Path("CHANGELOG.md").read_text(), flags=re.MULTILINE)
    # Definitions of links at the end belong to no version.
    bodies = (re.sub(r"^\[[^\]]+\]: .*$", "", body, flags=re.MULTILINE).strip() for body in parts[3::3])
    return list(zip(parts[1::3], (date or "" for date in parts[2::3]), bodies))


def plan(version, repository, ref, runs, environment):
    """Returns every reason not to release HEAD as this version."""
    if not SEMVER.fullmatch(version):
        return [f"`{version}` is no version: write it like `1.2.3` or `1.2.3-rc.1`, without a `v`"]
    return [
        *version_faults(version),
        *changelog_faults(version),
        *tag_faults(version),
        *name_faults(version, repository),
        *branch_faults(ref),
        *run_faults(runs),
        *environment_faults(environment),
    ]


def version_faults(version):
    workspace = tomllib.loads(Path("Cargo.toml").read_text())["workspace"]["package"]["version"]
    proxy = tomllib.loads(Path("proxy-template/Cargo.toml").read_text())["package"]["version"]
    for path, found in (("Cargo.toml", workspace), ("proxy-template/Cargo.toml", proxy)):
        if found != version:
            yield f"{path} has the version `{found}`"
    for path in actions("HEAD"):
        yield from source_faults(path)


def changelog_faults(version):
    found = sections()
    if found and found[0][0] == "Unreleased":
        if found.pop(0)[2]:
            yield "CHANGELOG.md still has unreleased changes: give them the heading of this version"
    if not found or found[0][0] != version:
        yield f"CHANGELOG.md must begin with `## [{version}] - YYYY-MM-DD`"
        return
    _, date, text = found[0]
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        yield f"CHANGELOG.md has no date for `{version}`: `{date}`"
    if not text:
        yield f"CHANGELOG.md has no text for `{version}`"


def tag_faults(version):
    if matches("rev-parse", "--verify", "--quiet", f"refs/tags/v{version}"):
        yield f"the tag `v{version}` exists already"
    major, minor, patch, early = SEMVER.fullmatch(version).groups()
    if early:
        return
    # The tag of the major version follows the newest release, and must not go back.
    for tag in git("tag", "--list", f"v{major}.*").split():
        other = SEMVER.fullmatch(tag[1:])
        if other and not other[4] and (int(other[2]), int(other[3])) > (int(minor), int(patch)):
            yield f"`{tag}` is newer, and `v{major}` would go back"


def name_faults(version, repository):
    major = f"v{version.split('.')[0]}"
    pages = (*COPIED_FROM, *map(str, sorted(Path(".github/actions").glob("*/README.md"))))
    places = [
        (f"{path}:{number}", line)
        for path in pages
        for number, line in enumerate(Path(path).read_text().splitlines(), 1)
    ]
    unnamed = [place for place, line in places if PLACEHOLDER in line]
    if unnamed:
        yield (
            f"{', '.join(unnamed)}: users would copy `{PLACEHOLDER}`; write the name once, with"
            f" `sed -i 's|{PLACEHOLDER}|{repository}|g' {' '.join(pages)}`"
        )
    for place, line in places:
        if NO_RELEASE in line:
            yield f"{place}: delete the note that there is no release yet"
        used = re.match(r"\s*(?:- )?uses: ([^@\s]+)@(\S+)", line)
        if not used or used[1].startswith("actions/") or PLACEHOLDER in line:
            continue
        parts = used[1].split("/")
        name, folder = "/".join(parts[:2]), "/".join(parts[2:])
        if name.lower() != repository.lower():
            yield f"{place}: `{name}` is not this repository, `{repository}`"
        if not Path(folder, "action.yml").is_file():
            yield f"{place}: there is no action in `{folder}`"
        if re.fullmatch(r"v\d+", used[2]) and used[2] != major:
            yield f"{place}: `{used[2]}` is not the major version of `{version}`"


def branch_faults(ref):
    if ref != "refs/heads/main":
        yield f"a release is made from `main`, and this is `{ref}`"
    if not matches("merge-base", "--is-ancestor", "HEAD", "refs/remotes/origin/main"):
        yield "the commit is not on `main`"


def run_faults(runs):
    """Finds workflows that are not green in `runs`, GitHub's list for this commit (REST API, "List workflow runs for a repository")."""
    head = git("rev-parse", "HEAD").strip()
    for path in REQUIRED:
        found = [
            run
            for run in runs.get("workflow_runs", [])
            if run["path"].split("@")[0] == path
            and (run["head_sha"], run["head_branch"], run["event"]) == (head, "main", "push")
        ]
        if not found:
            yield f"{path} has not run for {head}"
            continue
        newest = max(found, key=lambda run: (run["run_number"], run["run_attempt"]))
        if newest["conclusion"] != "success":
            yield f"{path} is not green for {head}: {newest['conclusion'] or newest['status']}"


def environment_faults(environment):
    """Refuses a missing environment: the first job that names it would create it without protection."""
    rules = [rule.get("type") for rule in environment.get("protection_rules", [])]
    if "required_reviewers" not in rules:
        yield (
            f"the environment `{ENVIRONMENT}` is missing or has no required reviewers:"
            " add them in the settings of the repository, under Environments"
        )


def outputs(version, repository):
    """Returns the outputs for the jobs of the release. Names of images are lower case, as the registry requires."""
    image = f"ghcr.io/{repository.lower()}"
    return {
        "version": version,
        "tag": f"v{version}",
        "major": f"v{version.split('.')[0]}",
        "prerelease": "true" if "-" in version else "false",
        "image": image,
        "proxy_image": f"{image}-proxy",
    }


def notes(version):
    """Returns the section of the changelog for a version."""
    for found, _, text in sections():
        if found == version:
            return text
    raise Refused(f"CHANGELOG.md has no `{version}`")


def commit(version, image):
    """Creates the release commit on HEAD and its tag, and returns the commit. HEAD, index and files stay unchanged."""
    matched = IMAGE.fullmatch(image)
    if not matched or matched["tag"] != version:
        raise Refused(f"`{image}` is not `ghcr.io/OWNER/NAME:{version}@sha256:` with 64 digits")
    tag = f"v{version}"
    if matches("rev-parse", "--verify", "--quiet", f"refs/tags/{tag}"):
        raise Refused(f"the tag `{tag}` exists already")
    paths = actions("HEAD")
    if faults := [fault for path in paths for fault in source_faults(path)]:
        raise Refused("\n".join(faults))
    identity = {
        "GIT_AUTHOR_NAME": AUTHOR,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_COMMITTER_NAME": AUTHOR,
        "GIT_COMMITTER_EMAIL": EMAIL,
    }
    # A separate index keeps changes of the working tree out of the commit.
    with tempfile.TemporaryDirectory() as scratch:
        index = {"GIT_INDEX_FILE": f"{scratch}/index"}
        git("read-tree", "HEAD", env=index)
        for path in paths:
            pinned = git("show", f"HEAD:{path}").replace(from_source(path), pinned_line(image))
            blob = git("hash-object", "-w", "--stdin", text=pinned).strip()
            git("update-index", "--cacheinfo", f"100644,{blob},{path}", env=index)
        tree = git("write-tree", env=index).strip()
    made = git("commit-tree", tree, "-p", "HEAD", "-m", f"release: {version}", env=identity).strip()
    if faults := commit_faults(made, image):
        raise Refused("; ".join(faults))
    git("tag", "--annotate", tag, made, "--message", f"hf-deploy {version}", env=identity)
    return made


def pinned_line(image):
    return f"  image: docker://{image}\n"


def commit_faults(made, image):
    """Finds changes of a release commit other than the pinned line of each action.yml."""
    faults = []
    paths = actions(f"{made}^")
    changed = git("diff-tree", "--no-commit-id", "--name-status", "--no-renames", "-r", made).splitlines()
    if sorted(changed) != sorted(f"M\t{path}" for path in paths):
        faults.append(f"the commit changes more or less than {', '.join(paths)}: {' '.join(changed)}")
    for path in paths:
        diff = git("diff-tree", "--no-commit-id", "--unified=0", "-r", "-p", made, "--", path).splitlines()
        lines = [line for line in diff if line[:1] in "+-" and not line.startswith(("+++", "---"))]
        if lines != [f"-{from_source(path).rstrip()}", f"+{pinned_line(image).rstrip()}"]:
            faults.append(f"the commit does not change the one line of {path}: " + " | ".join(lines))
    return faults


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    planning = commands.add_parser("plan")
    planning.add_argument("version")
    planning.add_argument("--repository", required=True)
    planning.add_argument("--ref", required=True)
    planning.add_argument("--runs", required=True, type=Path)
    planning.add_argument("--environment", required=True, type=Path)
    committing = commands.add_parser("commit")
    committing.add_argument("version")
    committing.add_argument("image")
    commands.add_parser("notes").add_argument("version")
    asked = parser.parse_args(arguments)
    try:
        if asked.command == "plan":
            runs, environment = (json.loads(path.read_text()) for path in (asked.runs, asked.environment))
            if faults := plan(asked.version, asked.repository, asked.ref, runs, environment):
                raise Refused("\n".join(faults))
            for name, value in outputs(asked.version, asked.repository).items():
                print(f"{name}={value}")
        elif asked.command == "commit":
            print(commit(asked.version, asked.image))
        else:
            print(notes(asked.version))
    except Refused as refused:
        for line in str(refused).splitlines():
            print(f"release: {line}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
