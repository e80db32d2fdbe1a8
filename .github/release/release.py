#!/usr/bin/env python3
"""The decisions of a release; .github/workflows/release.yml calls them in this order.

    release.py plan VERSION --repository OWNER/NAME --ref REF --runs FILE --environment FILE
        whether this commit may be released: prints outputs for the jobs that follow, or every reason against it
    release.py commit VERSION IMAGE
        makes the release commit and its tag here, from HEAD; pushes nothing
    release.py notes VERSION
        prints what the changelog says of it

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

# https://semver.org, without build metadata, which neither tags of images nor `uses:` can hold.
SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
)
IMAGE = re.compile(r"ghcr\.io/[a-z0-9]+(?:[._/-]+[a-z0-9]+)*:(?P<tag>[^@:/]+)@sha256:[0-9a-f]{64}")
# What has to be green for the commit. A fork without a Hugging Face account has a green integration run too: it
# skips with a notice.
REQUIRED = (".github/workflows/ci.yml", ".github/workflows/integration-hf.yml")
# Files that users copy from, so their names and versions must be right.
COPIED_FROM = ("README.md", ".github/workflows/deploy.yml")
# The note of README before the first release.
NO_RELEASE = "There is no release yet"
PLACEHOLDER = "OWNER/hf-deploy"
ENVIRONMENT = "release"
# The line of action.yml that a release pins, and the only one that it changes.
FROM_SOURCE = "  image: Dockerfile\n"
AUTHOR = "github-actions[bot]"
EMAIL = "41898282+github-actions[bot]@users.noreply.github.com"


class Refused(Exception):
    """Why there is no release."""


def git(*arguments, env=None, text=None):
    """The output of a git command."""
    done = subprocess.run(
        ["git", *arguments], input=text, env=env and {**os.environ, **env}, capture_output=True, text=True
    )
    if done.returncode:
        raise Refused(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout


def matches(*arguments):
    """Whether a git command that asks a question says yes."""
    return subprocess.run(["git", *arguments], capture_output=True).returncode == 0


def sections():
    """The changelog as (version, date, text), newest first; the date of what is unreleased is empty."""
    parts = re.split(r"^## \[(.+?)\](?: - (.*))?$", Path("CHANGELOG.md").read_text(), flags=re.MULTILINE)
    # Definitions of links stand at the end, in no version.
    bodies = (re.sub(r"^\[[^\]]+\]: .*$", "", body, flags=re.MULTILINE).strip() for body in parts[3::3])
    return list(zip(parts[1::3], (date or "" for date in parts[2::3]), bodies))


def plan(version, repository, ref, runs, environment):
    """Every reason against releasing HEAD as this version; none is good."""
    if not SEMVER.fullmatch(version):
        return [f"`{version}` is no version: it has to be like `1.2.3` or `1.2.3-rc.1`, without a `v`"]
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
    if Path("action.yml").read_text().count(FROM_SOURCE) != 1:
        yield f"action.yml has to have the line `{FROM_SOURCE.strip()}`, once"


def changelog_faults(version):
    found = sections()
    if found and found[0][0] == "Unreleased":
        if found.pop(0)[2]:
            yield "CHANGELOG.md still has unreleased changes: give them the heading of this version"
    if not found or found[0][0] != version:
        yield f"CHANGELOG.md has to begin with `## [{version}] - YYYY-MM-DD`"
        return
    _, date, text = found[0]
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        yield f"CHANGELOG.md has no date for `{version}`: `{date}`"
    if not text:
        yield f"CHANGELOG.md says nothing of `{version}`"


def tag_faults(version):
    if matches("rev-parse", "--verify", "--quiet", f"refs/tags/v{version}"):
        yield f"the tag `v{version}` is there already"
    major, minor, patch, early = SEMVER.fullmatch(version).groups()
    if early:
        return
    # The tag of the major version moves to what is published last, and must not go back.
    for tag in git("tag", "--list", f"v{major}.*").split():
        other = SEMVER.fullmatch(tag[1:])
        if other and not other[4] and (int(other[2]), int(other[3])) > (int(minor), int(patch)):
            yield f"`{tag}` is newer, and `v{major}` would go back"


def name_faults(version, repository):
    major = f"v{version.split('.')[0]}"
    places = [
        (f"{path}:{number}", line)
        for path in COPIED_FROM
        for number, line in enumerate(Path(path).read_text().splitlines(), 1)
    ]
    unnamed = [place for place, line in places if PLACEHOLDER in line]
    if unnamed:
        yield (
            f"{', '.join(unnamed)}: users would copy `{PLACEHOLDER}`; write the name once, with"
            f" `sed -i 's|{PLACEHOLDER}|{repository}|g' {' '.join(COPIED_FROM)}`"
        )
    for place, line in places:
        if NO_RELEASE in line:
            yield f"{place}: delete the note that there is no release yet"
        used = re.match(r"\s*(?:- )?uses: ([^@\s]+)@(\S+)", line)
        if not used or used[1].startswith("actions/") or PLACEHOLDER in line:
            continue
        if used[1].lower() != repository.lower():
            yield f"{place}: `{used[1]}` is not this repository, `{repository}`"
        if re.fullmatch(r"v\d+", used[2]) and used[2] != major:
            yield f"{place}: `{used[2]}` is not the major version of `{version}`"


def branch_faults(ref):
    if ref != "refs/heads/main":
        yield f"a release is made from `main`, and this is `{ref}`"
    if not matches("merge-base", "--is-ancestor", "HEAD", "refs/remotes/origin/main"):
        yield "the commit is not on `main`"


def run_faults(runs):
    """`runs` is what GitHub lists for this commit (REST API, "List workflow runs for a repository")."""
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
    """An environment that is not there would be made by the first job that names it, and protect nothing."""
    rules = [rule.get("type") for rule in environment.get("protection_rules", [])]
    if "required_reviewers" not in rules:
        yield (
            f"the environment `{ENVIRONMENT}` is missing or has no required reviewers:"
            " add them in the settings of the repository, under Environments"
        )


def outputs(version, repository):
    """What the jobs of the release are told. The names of images are lower-case, whatever the repository's is."""
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
    """What the changelog says of a version."""
    for found, _, text in sections():
        if found == version:
            return text
    raise Refused(f"CHANGELOG.md does not know `{version}`")


def commit(version, image):
    """Makes the release commit on HEAD, and its tag; returns the commit. HEAD, index and files stay as they are."""
    matched = IMAGE.fullmatch(image)
    if not matched or matched["tag"] != version:
        raise Refused(f"`{image}` is not `ghcr.io/OWNER/NAME:{version}@sha256:` with 64 digits")
    tag = f"v{version}"
    if matches("rev-parse", "--verify", "--quiet", f"refs/tags/{tag}"):
        raise Refused(f"the tag `{tag}` is there already")
    action = git("show", "HEAD:action.yml")
    if action.count(FROM_SOURCE) != 1:
        raise Refused(f"action.yml has to have the line `{FROM_SOURCE.strip()}`, once")
    pinned = action.replace(FROM_SOURCE, pinned_line(image))
    identity = {
        "GIT_AUTHOR_NAME": AUTHOR,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_COMMITTER_NAME": AUTHOR,
        "GIT_COMMITTER_EMAIL": EMAIL,
    }
    # From objects, with an index of its own: nothing of the working tree can get in.
    with tempfile.TemporaryDirectory() as scratch:
        index = {"GIT_INDEX_FILE": f"{scratch}/index"}
        git("read-tree", "HEAD", env=index)
        blob = git("hash-object", "-w", "--stdin", text=pinned).strip()
        git("update-index", "--cacheinfo", f"100644,{blob},action.yml", env=index)
        tree = git("write-tree", env=index).strip()
    made = git("commit-tree", tree, "-p", "HEAD", "-m", f"release: {version}", env=identity).strip()
    if faults := commit_faults(made, image):
        raise Refused("; ".join(faults))
    git("tag", "--annotate", tag, made, "--message", f"hf-deploy {version}", env=identity)
    return made


def pinned_line(image):
    return f"  image: docker://{image}\n"


def commit_faults(made, image):
    """What is wrong with a release commit: it is its parent's tree plus the pinned line, and nothing else."""
    faults = []
    changed = git("diff-tree", "--no-commit-id", "--name-status", "--no-renames", "-r", made).split()
    if changed != ["M", "action.yml"]:
        faults.append(f"the commit changes more or less than action.yml: {' '.join(changed)}")
    diff = git("diff-tree", "--no-commit-id", "--unified=0", "-r", "-p", made, "--", "action.yml").splitlines()
    lines = [line for line in diff if line[:1] in "+-" and not line.startswith(("+++", "---"))]
    if lines != [f"-{FROM_SOURCE.rstrip()}", f"+{pinned_line(image).rstrip()}"]:
        faults.append("the commit does not change the one line of action.yml: " + " | ".join(lines))
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
