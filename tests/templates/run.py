"""Runs Spaces that hf-deploy rendered, with real libraries and tiny models, and calls each through hf-deploy's check.

    python run.py [TEMPLATE...]     `eight`: one template for each type of output; nothing: all of them

For each template: a model with random weights is made and uploaded to the local Hub, the template is rendered, its
app loads the model from there, and `hf-deploy verify` calls it with the arguments that a build of a Space uses.

The libraries are imported once, and each app is a fork of this process, because their import takes longer than
everything else.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))
from processes import ROOT, TOKEN, USER, binary, client_environment, deploy, running_hub  # noqa: E402

#: One template for each type of output.
EIGHT = (
    "chat", "text-classification", "token-classification", "sentence-similarity", "text-to-image", "object-detection",
    "text-to-speech", "text-to-video",
)
#: Templates that are tested elsewhere, with the place.
ELSEWHERE = {"static-transformersjs": "tests/apps/test_static_template.py"}
#: Time for a model, its upload, or the start of an app, in seconds. The machine may be busy.
PATIENCE = 300


class Failed(Exception):
    pass


def fork(work, log: Path) -> int:
    """Runs a function in a copy of this process, with its output in a file. Returns the id of the process."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        with log.open("ab") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(child: int, log: Path, what: str) -> None:
    """Waits for a copy of this process to succeed."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if status == 0:
                return
            raise Failed(f"cannot {what}:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.05)
    stop(child)
    raise Failed(f"cannot {what} within {PATIENCE} s")


def stop(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)


def upload(folder: Path, template: str) -> None:
    """Makes a model and uploads it, in a process of its own."""
    import models
    from huggingface_hub import HfApi

    api = HfApi()
    made = models.make(folder, template)
    base = folder / f"{template}.base"
    for name in [template, *([base.read_text()] if base.exists() else [])]:
        repo = f"{USER}/{name}"
        if not api.repo_exists(repo):
            api.create_repo(repo)
            api.upload_folder(repo_id=repo, folder_path=folder / name)
    print(made)


def address_of(child: int, log: Path) -> str:
    """Waits until an app listens, and returns its address."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        text = log.read_text(errors="replace")
        if found := re.search(r"Running on local URL:\s+(http://127\.0\.0\.1:\d+)", text):
            return found[1]
        if os.waitpid(child, os.WNOHANG)[0]:
            raise Failed(f"the app ended:\n{text[-3000:]}")
        time.sleep(0.05)
    raise Failed(f"the app did not start within {PATIENCE} s:\n{log.read_text(errors='replace')[-3000:]}")


def check(template: str, hub, scratch: Path) -> None:
    from huggingface_hub import HfApi

    models_folder, space, log = scratch / "models", scratch / "spaces" / template, scratch / f"{template}.log"
    models_folder.mkdir(exist_ok=True)
    log.touch()
    space.parent.mkdir(exist_ok=True)
    facts = {"template": template, "model": f"{USER}/{template}", "sha": "main"}
    if template == "provider-chat":
        facts["model"] = "acme/served"
    else:
        wait(fork(lambda: upload(models_folder, template), log), log, "make the model")
        facts["sha"] = HfApi().model_info(facts["model"]).sha
        base = models_folder / f"{template}.base"
        if base.exists():
            facts["base_model"] = f"{USER}/{base.read_text()}"
    program = binary("RENDER_TEMPLATE_BIN", "examples/render_template")
    rendered = subprocess.run([program, space, json.dumps(facts)], check=True, capture_output=True, text=True)
    call = json.loads(rendered.stdout)
    app = fork(lambda: run_app(template, space, hub), log)
    try:
        url = address_of(app, log)
        ran = deploy(
            hub.endpoint, Path(f"{space}.call"), scratch / f"{template}.run", arguments=("verify", "--from-inputs"),
            url=url, verify="inference", api_name=call["endpoint"], api_args=json.dumps(call["args"]),
            api_kwargs=json.dumps(call["kwargs"]), expect=call["expect"], timeout=f"{PATIENCE}s", hf_token="",
        )
        if ran.code != 0:
            raise Failed(f"the check failed:\n{ran.stdout}\n{ran.stderr}\n{log.read_text(errors='replace')[-3000:]}")
    finally:
        stop(app)


def run_app(template: str, space: Path, hub) -> None:
    """Runs the app as a Space does: as the main program, in its folder."""
    os.chdir(space)
    if template == "provider-chat":
        serve_completions()
    runpy.run_path("app.py", run_name="__main__")


def serve_completions() -> None:
    """Puts a stand-in in the place of Inference Providers: it answers a chat in two pieces."""
    from huggingface_hub import InferenceClient
    from huggingface_hub.inference._generated.types import ChatCompletionStreamOutput

    def answer(self, messages, *, max_tokens, stream):
        assert self.model == "acme/served" and stream and max_tokens == 16, (self.model, stream, max_tokens)
        assert messages == [{"role": "user", "content": "Hello!"}], messages
        for piece in ("Hello", " there"):
            yield ChatCompletionStreamOutput.parse_obj_as_instance({"choices": [{"index": 0, "delta": {"role": "assistant", "content": piece}}]})

    InferenceClient.chat_completion = answer


def names() -> list[str]:
    """Returns the names of all templates, as the catalogue declares them."""
    declared = (ROOT / "src/templates/template.rs").read_text()
    return re.findall(r'^    \w+ = "([a-z0-9-]+)",$', declared, re.MULTILINE)


def main(chosen: list[str]) -> int:
    chosen = list(EIGHT) if chosen == ["eight"] else chosen or names()
    scratch = Path(tempfile.mkdtemp(prefix="templates-"))
    failed = []
    with running_hub(scratch / "hub") as hub:
        environment = client_environment(hub.endpoint, scratch)
        for name in [name for name in os.environ if name.startswith(("HF_", "GRADIO_")) and not name.endswith("_BIN")]:
            del os.environ[name]
        os.environ.update(environment)
        os.environ |= {
            "GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(scratch / "gradio"), "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1",
        }
        began = time.monotonic()
        # Each app imports them again, from memory.
        for library in ("spaces", "torch", "gradio", "transformers", "diffusers"):
            __import__(library)
        print(f"imported the libraries in {time.monotonic() - began:.0f} s", flush=True)
        for template in chosen:
            if template in ELSEWHERE:
                print(f"{template}: in {ELSEWHERE[template]}")
                continue
            began = time.monotonic()
            try:
                check(template, hub, scratch)
                print(f"{template}: ok, {time.monotonic() - began:.1f} s", flush=True)
            except Exception as error:
                failed.append(template)
                print(f"{template}: FAILED\n{error if isinstance(error, Failed) else traceback.format_exc()}", flush=True)
    subprocess.run(["rm", "-rf", scratch], check=True)
    tried = len([name for name in chosen if name not in ELSEWHERE])
    print(f"{tried - len(failed)} passed, {len(failed)} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
