#!/usr/bin/env python3
"""Measures the files for one model against a Python script that asks for the same model and renders the same file.

    tests/bench/generate.py             three models, in about a minute on two quiet cores
    tests/bench/generate.py --runs 5    medians of fewer runs

A server on this machine answers with recorded models. The time of the processor is measured, because it leaves the network
out: the start of the program, the recommendation, and the files. Fails if that is 100 ms or more. Builds what it needs.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from contenders import CLIENT, ROOT, WORK, build_ours, install_client
from upload import machine

from processes import plain_environment

#: Recorded models: a chat, a model of several components, and one for browsers.
MODELS = ("chat", "text-to-image", "static-transformersjs")
#: Largest time for one model besides the network, in seconds.
LIMIT = 0.1
PRICES = [
    {"name": "zero-a10g", "unitCostUSD": 0, "unitLabel": "hour"},
    {"name": "l4x1", "unitCostUSD": 0.8, "unitLabel": "hour"},
]
#: Marks that no generated file has, because apps have braces.
PEER = """
import sys
from pathlib import Path
import jinja2
from huggingface_hub import HfApi
model, template, out = sys.argv[1:]
info = HfApi().model_info(model, revision="main")
environment = jinja2.Environment(
    variable_start_string="@<", variable_end_string=">@", block_start_string="@%", block_end_string="%@",
    comment_start_string="@#", comment_end_string="#@", undefined=jinja2.StrictUndefined,
)
text = environment.from_string(Path(template).read_text()).render(model=info.id, sha=info.sha)
Path(out).write_text(text)
"""


class Hub(ThreadingHTTPServer):
    """A server that knows the recorded models and the prices."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.answers: dict[str, bytes] = {"/api/spaces/hardware": json.dumps(PRICES).encode()}
        for name in MODELS:
            facts = recorded(name)
            self.answers[f"/api/models/{facts['id']}/revision/main"] = json.dumps(facts).encode()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One packet for an answer, because the second one would wait for the acknowledgement of the first.
    wbufsize = -1

    def do_GET(self) -> None:
        path = self.path.split("?", 1)[0]
        body = json.dumps(self.tree(path)).encode() if "/tree/" in path else self.server.answers.get(path)
        self.send_response(200 if body else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def tree(self, path: str) -> list[dict]:
        """Returns the sizes of the files of a model."""
        prefix = path.split("/tree/", 1)[0]
        facts = json.loads(self.server.answers[f"{prefix}/revision/main"])
        return [
            {"type": "file", "oid": "0" * 40, "path": file["rfilename"], "size": file["size"]}
            for file in facts["siblings"]
        ]

    def log_message(self, *_: object) -> None:
        pass


def recorded(name: str) -> dict:
    return json.loads((ROOT / "tests" / "fixtures" / "models" / f"{name}.json").read_text())["model"]


def seconds(command: list, folder: Path, hub: Hub) -> float:
    """Returns the seconds of the processor that a command took."""
    hub_variables = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1"}
    env = plain_environment(folder) | hub_variables
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen([str(part) for part in command], env=env, cwd=folder, stdout=out, stderr=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"the command failed:\n{log.read_text()}")
    return usage.ru_utime + usage.ru_stime


def main_file(folder: Path) -> Path:
    """Returns the app or the page that the last run generated."""
    runs = (folder / ".hf-deploy" / "runs").iterdir()
    generated = max(runs, key=lambda run: run.stat().st_mtime) / "generated"
    return next(path for name in ("app.py", "index.html") if (path := generated / name).exists())


def compare(name: str, runs: int, hub: Hub, python: Path) -> tuple[float, float]:
    """Returns the medians of hf-deploy and of the script, in turns."""
    facts, taken = recorded(name), {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory(dir=WORK) as directory:
        folder = Path(directory)
        ours = [os.environ["HF_DEPLOY_BIN"], "build-space", facts["id"], "--dry-run"]
        seconds(ours, folder, hub)
        generated = main_file(folder).read_text()
        template, out, script = folder / "template", folder / "out", folder / "peer.py"
        marked = generated.replace(facts["id"], "@<model>@").replace(facts["sha"], "@<sha>@")
        # The end of a line is lost by the engine otherwise.
        template.write_text(f"{marked}\n")
        script.write_text(PEER)
        peer = [python, script, facts["id"], template, out]
        seconds(peer, folder, hub)
        if out.read_text() != generated:
            raise SystemExit(f"the script renders another file for {name}")
        for number in range(runs):
            for way, command in sorted({"ours": ours, "peer": peer}.items(), reverse=number % 2 == 0):
                taken[way].append(seconds(command, folder, hub))
    return statistics.median(taken["ours"]), statistics.median(taken["peer"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="pairs of runs, the median of which is shown")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    os.environ["HF_DEPLOY_BIN"] = os.environ.get("HF_DEPLOY_BIN") or str(build_ours())
    python = install_client().parent / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "jinja2"], check=True)
    hub, slow = Hub(), []
    print(f"{machine()}; {datetime.date.today()}; medians of {options.runs}\n")
    print(f"| model | hf-deploy | Python with huggingface_hub {CLIENT} and Jinja | × |\n| --- | ---: | ---: | ---: |")
    for name in MODELS:
        ours, peer = compare(name, options.runs, hub, python)
        print(f"| {name} | {ours * 1000:.0f} ms | {peer * 1000:.0f} ms | {peer / ours:.1f} |", flush=True)
        if ours >= LIMIT:
            slow.append(name)
    if slow:
        print(f"\nlonger than {LIMIT * 1000:.0f} ms: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
