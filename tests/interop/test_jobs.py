"""The unchanged official client runs Jobs on the local Hub and keeps the Hub's contract."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from processes import ROOT, USER, Deployed, deploy

#: A script with a package that this virtual environment does not have.
SCRIPT = """# /// script
# dependencies = ["tabulate"]
# ///
import sys

import tabulate

print(tabulate.tabulate([[(sys.argv + ["Ada"])[1], 42]], tablefmt="github"))
"""
TABLE = "| Ada | 42 |"


@pytest.fixture
def uv_settings() -> dict[str, str]:
    """Returns the variables with which `uv` takes packages from a folder, and Python from this machine."""
    wheels = os.environ["INTEROP_WHEELS"]
    return {"UV_FIND_LINKS": wheels, "UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_CACHE_DIR": "/tmp/uv"}


def step(hub, source: Path, scratch: Path, **inputs: str) -> Deployed:
    """Runs a step of the action that runs a Job."""
    return deploy(hub.endpoint, source, scratch, arguments=("job", "--from-inputs"), **inputs)


def job_id(text: str) -> str:
    """Returns the id of a Job from the output of `hf jobs run --detach`."""
    words = (word.strip("`'\",.") for word in text.split())
    found = [word.rsplit("/", 1)[-1] for word in words]
    return next(word for word in found if len(word) == 24 and all(c in "0123456789abcdef" for c in word))


def test_run_follows_the_log(hf_command):
    ran = hf_command("jobs", "run", "python:3.12", "sh", "-c", "echo hello from $ACCELERATOR; sleep 1; echo bye")
    assert "hello from none\n" in ran.stdout
    assert "bye\n" in ran.stdout


def test_failed_job_fails_the_command(hub, client_env, tmp_path):
    command = [Path(sys.executable).with_name("hf"), "jobs", "run", "python:3.12", "sh", "-c", "echo oops; exit 3"]
    ran = subprocess.run(command, env=client_env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 1
    assert "exit code: 3" in ran.stdout + ran.stderr


def test_detached_job_is_listed_inspected_and_cancelled(hf_command):
    options = ["--detach", "--env", "A_B=1", "--flavor", "t4-small", "--timeout", "5m", "--label", "team=vision"]
    started = hf_command("jobs", "run", *options, "python:3.12", "sh", "-c", "echo $A_B on $ACCELERATOR; sleep 600")
    job = job_id(started.stdout + started.stderr)
    assert job in hf_command("jobs", "ps", "--no-truncate").stdout
    assert job in hf_command("jobs", "ps", "--no-truncate", "--label", "team=vision").stdout
    assert job not in hf_command("jobs", "ps", "--no-truncate", "--label", "team=audio").stdout
    info = json.loads(hf_command("jobs", "inspect", job, "--format", "json").stdout)
    info = info[0] if isinstance(info, list) else info
    assert info["flavor"] == "t4-small"
    deadline = time.monotonic() + 30
    while "1 on T4" not in hf_command("jobs", "logs", job).stdout:
        assert time.monotonic() < deadline
    hf_command("jobs", "cancel", job)
    assert job not in hf_command("jobs", "ps", "--no-truncate").stdout
    assert job in hf_command("jobs", "ps", "--no-truncate", "--all").stdout


def test_hardware_has_prices(hf_command):
    ran = hf_command("jobs", "hardware")
    assert "cpu-basic" in ran.stdout
    assert "a10g-small" in ran.stdout


def test_library_waits_and_reads_logs_and_metrics(hf, api, hub):
    job = api.run_job(
        image="python:3.12", command=["sh", "-c", "seq 300; sleep 2"], secrets={"KEY": "value"}, attempts=2,
        labels={"team": "vision"},
    )
    assert job.owner.name == USER
    assert job.retry == 1
    assert next(iter(api.fetch_job_metrics(job_id=job.id)))["memory_total_bytes"] > 0
    assert list(api.fetch_job_logs(job_id=job.id, follow=True)) == [str(number) for number in range(1, 301)]
    assert api.wait_for_job(job_id=job.id).status.stage == "COMPLETED"
    assert list(api.fetch_job_logs(job_id=job.id, tail=2)) == ["299", "300"]
    assert api.update_job_labels(job_id=job.id, labels={"team": "audio"}).labels == {"team": "audio"}
    again = api.rerun_job(job_id=job.id)
    assert again.id != job.id
    api.cancel_job(job_id=again.id)
    assert api.inspect_job(job_id=again.id).status.stage == "CANCELED"
    assert {row.id for row in api.list_jobs()} >= {job.id, again.id}


def test_timeout_is_an_error(api):
    job = api.run_job(image="python:3.12", command=["sleep", "600"], timeout=1)
    ended = api.wait_for_job(job_id=job.id)
    assert (ended.status.stage, ended.status.message) == ("ERROR", "Job timeout")


def test_volume_of_a_dataset_is_mounted(hf, api, new_repo):
    repo = new_repo("rows")
    api.create_repo(repo, repo_type="dataset")
    api.upload_file(path_or_fileobj=b"a,b\n", path_in_repo="data/rows.csv", repo_id=repo, repo_type="dataset")
    volume = hf.Volume(type="dataset", source=repo, mount_path="/rows", path="data")
    job = api.run_job(image="python:3.12", command=["cat", "/rows/rows.csv"], volumes=[volume])
    assert list(api.fetch_job_logs(job_id=job.id, follow=True)) == ["a,b"]


def test_unknown_job_is_not_found(hf, api):
    with pytest.raises(hf.errors.HfHubHTTPError):
        api.inspect_job(job_id="0" * 24)


def test_uv_run_takes_a_script_with_inline_metadata(hf_command, uv_settings, tmp_path):
    script = tmp_path / "table of rows.py"
    script.write_text(SCRIPT)
    env = [option for name, value in uv_settings.items() for option in ("--env", f"{name}={value}")]
    ran = hf_command("jobs", "uv", "run", *env, str(script), "Ada")
    assert TABLE in ran.stdout, ran.stdout + ran.stderr


def test_script_of_the_action_has_its_packages(hub, uv_settings, tmp_path):
    source = tmp_path / "checkout"
    source.mkdir()
    (source / "rows.py").write_text(SCRIPT)
    variables = "\n".join(f"{name}={value}" for name, value in uv_settings.items())
    ran = step(hub, source, tmp_path / "step", script="rows.py", variables=variables)
    assert TABLE in (source / ran.expect("succeeded").outputs["log_path"]).read_text()
    assert ran.outputs["exit_code"] == "0"


def test_own_suite_runs_in_a_job_and_returns_its_report(hub, tmp_path):
    source = tmp_path / "checkout"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".git", "target", ".hf-deploy"))
    # One test reads the history, which does not travel.
    history = "git init -q && git add . && git -c user.name=ci -c user.email=ci@example.com commit -qm checkout"
    suite = f"{history}\npython -m pytest tests/release --junitxml=/output/junit.xml"
    # Workflows are left out by default, unless a pattern names their folder.
    checkout = {"source_dir": ".", "include": "**\n.github/", "keep_output": "false"}
    ran = step(hub, source, tmp_path / "step", image="python:3.12", run=suite, **checkout).expect("succeeded")
    (report,) = ElementTree.parse(source / ran.outputs["output_dir"] / "junit.xml").getroot()
    assert int(report.get("tests")) >= 20
    assert (report.get("failures"), report.get("errors")) == ("0", "0")
    test = source / "tests/release/test_openapi.py"
    test.write_text(test.read_text() + "\n\ndef test_planted():\n    assert False\n")
    ran = step(hub, source, tmp_path / "again", image="python:3.12", run=f"{suite} -k planted", **checkout).expect("failed", 1)
    assert (ran.outputs["error_code"], ran.outputs["exit_code"], ran.outputs["output_files"]) == ("job_failed", "1", "1")
    (report,) = ElementTree.parse(source / ran.outputs["output_dir"] / "junit.xml").getroot()
    assert (report.get("tests"), report.get("failures")) == ("1", "1")
