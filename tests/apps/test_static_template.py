"""The page of the static Space template in a real browser, with a stand-in for transformers.js.

The stand-in has the interface of the real library and no model: it returns what it was called with.
"""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from processes import binary

STAND_IN = """
export async function pipeline(task, model, options) {
  if (model === "acme/broken") throw new Error("no such file");
  const call = async (...given) => {
    if (String(given[0]).includes("fail")) throw new Error("out of memory");
    const isAddress = String(given[0]).startsWith("blob:");
    const bytes = isAddress ? (await (await fetch(given[0])).arrayBuffer()).byteLength : null;
    return [{ label: "stand-in", task, model, revision: options.revision, given: isAddress ? bytes : given }];
  };
  call.tokenizer = { mask_token: "<mask>" };
  return call;
}
"""


@pytest.fixture
def page_of(browser: Browser, tmp_path: Path):
    """Returns a function that renders a page and opens it. Nothing outside of this machine is reached."""
    servers, contexts = [], []

    def open_page(task: str, model: str = "acme/tiny") -> Page:
        folder = tmp_path / "space"
        facts = {"template": "static-transformersjs", "model": model, "sha": "0123abc", "task": task}
        subprocess.run([binary("RENDER_TEMPLATE_BIN", "examples/render_template"), folder, json.dumps(facts)], check=True)
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        context = browser.new_context()
        contexts.append(context)
        page = context.new_page()

        def elsewhere(route) -> None:
            url = route.request.url
            if url.startswith(f"http://127.0.0.1:{server.server_port}/"):
                route.continue_()
            elif url.startswith("https://cdn.jsdelivr.net/npm/@huggingface/transformers@"):
                headers = {"Access-Control-Allow-Origin": "*"}
                route.fulfill(body=STAND_IN, content_type="text/javascript", headers=headers)
            else:
                route.abort()

        page.route("**/*", elsewhere)
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        return page

    yield open_page
    for context in contexts:
        context.close()
    for server in servers:
        server.shutdown()


def result_of(page: Page) -> dict:
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("status")).to_have_text("Done")
    return json.loads(page.locator("#result").inner_text())[0]


def test_page_calls_the_model_with_a_text(page_of):
    page = page_of("text-classification")
    expect(page.get_by_role("status")).to_have_text("Ready")
    page.get_by_label("Text").fill("</script> \"quoted\"")
    assert result_of(page) == {
        "label": "stand-in", "task": "text-classification", "model": "acme/tiny", "revision": "0123abc",
        "given": ["</script> \"quoted\""],
    }


def test_page_calls_the_model_with_labels_and_marks(page_of):
    page = page_of("zero-shot-classification")
    page.get_by_label("Labels").fill(" a, ,b ")
    assert result_of(page)["given"] == ["My phone is broken", ["a", "b"]]
    assert result_of(page_of("fill-mask"))["given"] == ["Paris is the <mask> of France."]
    assert result_of(page_of("sentence-similarity"))["task"] == "feature-extraction"


@pytest.mark.parametrize(("task", "label"), [("image-classification", "Image"), ("automatic-speech-recognition", "Speech")])
def test_page_calls_the_model_with_a_file(page_of, task: str, label: str):
    page = page_of(task)
    expect(page.get_by_role("status")).to_have_text("Ready")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("status")).to_have_text("Failed: choose a file first")
    page.get_by_label(label).set_input_files({"name": "file", "mimeType": "application/octet-stream", "buffer": b"x" * 321})
    assert result_of(page)["given"] == 321


def test_page_reports_failures(page_of):
    page = page_of("text-classification", "acme/broken")
    expect(page.get_by_role("status")).to_have_text("Cannot load the model: no such file")
    expect(page.get_by_role("button", name="Run")).to_be_disabled()
    page = page_of("text-classification")
    page.get_by_label("Text").fill("fail")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("status")).to_have_text("Failed: out of memory")
    expect(page.get_by_role("button", name="Run")).to_be_enabled()
