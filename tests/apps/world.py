"""Private apps behind the local Hub's edge, each with a public proxy Space that hf-deploy created."""

from __future__ import annotations

import os
import shutil
import sys
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from processes import TOKEN, USER, Deployed, LocalHub, binary, deploy, plain_environment, run
from recorded import Answer, answers

HERE = Path(__file__).resolve().parent
SPACES = HERE / "spaces"
VERSIONS = {4: "4.44.1", 5: "5.50.0", 6: "6.31.0"}
#: Opens the metrics of each proxy.
METRICS_TOKEN = "the-metrics-token-of-these-tests"


def gradio_python(major: int) -> Path:
    """Returns the interpreter with this version of Gradio, from the variable of `tests/run`."""
    return Path(os.environ[f"HF_DEPLOY_GRADIO{major}"])


def node_modules() -> Path:
    return Path(os.environ["HF_DEPLOY_NODE_MODULES"])


def api_prefix(major: int) -> str:
    return "" if major == 4 else "/gradio_api"


@dataclass
class App:
    """A private Space and its proxy."""

    name: str
    deployed: Deployed
    #: Public address of the proxy.
    url: str
    #: Address of the private Space.
    private_url: str
    #: A generator of the app writes the time here while it works.
    ticks: Path
    proxy_name: str
    world: World

    @property
    def public_host(self) -> str:
        return urllib.parse.urlsplit(self.url).netloc

    @property
    def private_host(self) -> str:
        return urllib.parse.urlsplit(self.private_url).netloc

    def stops_working(self, left: float) -> None:
        """Asserts that the app stops within a second after its caller left, plus half a second for a busy machine."""
        time.sleep(2.5)
        last = self._last_tick()
        assert last < left + 1.5, f"it worked for {last - left:.2f} s after its caller had left"
        time.sleep(0.5)
        assert self._last_tick() == last

    def _last_tick(self) -> float:
        return float(self.ticks.read_text().splitlines()[-1])

    def answers(self) -> list[Answer]:
        """Returns all bytes that the proxy sent to callers."""
        return answers(self.world.recordings / self.proxy_name)

    def logs(self) -> str:
        """Returns the output of the proxy."""
        return self.world.log(f"{USER}/{self.proxy_name}")


@dataclass
class World:
    hub: LocalHub
    recordings: Path
    scratch: Path
    apps: dict[str, App] = field(default_factory=dict)

    def log(self, space: str) -> str:
        url = f"{self.hub.endpoint}/api/spaces/{space}/logs/run"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
        # The log of a running Space has no end; its current lines arrive at once.
        lines = []
        with urllib.request.urlopen(request, timeout=3) as stream:
            try:
                while line := stream.readline():
                    lines.append(line)
            except TimeoutError:
                pass
        return b"".join(lines).decode()

    def deploy(self, name: str, source: Path, suffix: str = "-proxy", settings: str = "", **inputs: str) -> App:
        """Deploys a folder as a private Space with a proxy."""
        ticks = self.scratch / f"{name}.ticks"
        ticks.touch()
        deployed = deploy(
            self.hub.endpoint,
            source,
            self.scratch / f"{name}{suffix}",
            {"METRICS_TOKEN": METRICS_TOKEN},
            huggingface_repo=f"{USER}/{name}",
            private="true",
            create_proxy="true",
            proxy_space_suffix=suffix,
            proxy_settings=f"METRICS_TOKEN\n{settings}",
            variables=f"TICKS_FILE={ticks}\nGRADIO_TEMP_DIR={self.scratch / name}",
            wait="true",
            timeout="180s",
            **inputs,
        )
        assert deployed.code == 0, f"{deployed.stdout}\n{deployed.stderr}"
        outputs = deployed.outputs
        assert outputs["proxy_enabled"] == "true"
        return App(
            name=name,
            deployed=deployed,
            url=outputs["proxy_url"].rstrip("/"),
            private_url=outputs["space_url"].rstrip("/"),
            ticks=ticks,
            proxy_name=outputs["proxy_repo_id"].split("/")[1],
            world=self,
        )

    def gradio_source(self, major: int) -> Path:
        source = self.scratch / f"source-{major}"
        if not source.is_dir():
            shutil.copytree(SPACES / "gradio", source)
            card = source / "README.md"
            card.write_text(card.read_text().replace("VERSION", VERSIONS[major]))
        return source

    def deploy_next(self) -> App:
        """Builds the app outside of its Space, because the Hub waits only for a short start."""
        source, built = SPACES / "nextjs", next_build(self.scratch)
        shutil.copytree(source, built)
        (built / "node_modules").symlink_to(node_modules())
        build = ["node", built / "node_modules/next/dist/bin/next", "build"]
        environment = plain_environment(built) | {"NEXT_TELEMETRY_DISABLED": "1"}
        ran = run(build, environment, built, self.scratch / "next-log", timeout=600)
        assert ran.code == 0, f"{ran.stdout}\n{ran.stderr}"
        return self.deploy("nextjs", source, health_path="/")

    def deploy_all(self) -> None:
        """Starts all apps at once, because they mostly wait for imports."""
        with ThreadPoolExecutor() as pool:
            # With the default limits of a proxy, and the narrower of the two path settings.
            paths = "ALLOW_PATHS=gradio-ui"
            jobs = {
                f"gradio-{v}": pool.submit(self.deploy, f"gradio-{v}", self.gradio_source(v), settings=paths)
                for v in VERSIONS
            }
            for name, health in {"streamlit": "/_stcore/health", "fastapi": "/items/"}.items():
                jobs[name] = pool.submit(self.deploy, name, SPACES / name, health_path=health)
            jobs["nextjs"] = pool.submit(self.deploy_next)
            self.apps = {name: job.result() for name, job in jobs.items()}


def next_build(scratch: Path) -> Path:
    return scratch / "next-build"


def hub_options(recordings: Path, scratch: Path) -> list[str]:
    container = [sys.executable, HERE / "container.py", binary("HF_DEPLOY_PROXY", "hf-proxy"), recordings]
    container.append(next_build(scratch))
    options = ["--edge", "--forwarded-proto", "http"]
    options += ["--docker-command", "exec " + " ".join(f"'{part}'" for part in container)]
    for major in VERSIONS:
        options += ["--gradio-python", f"{major}={gradio_python(major)}"]
    return options
