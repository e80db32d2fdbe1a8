"""Shared by the tests: all apps, deployed once."""

from __future__ import annotations

import os
import time

import pytest
from processes import running_hub
from world import VERSIONS, App, World, hub_options


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    recordings, scratch = tmp_path_factory.mktemp("recordings"), tmp_path_factory.mktemp("deploys")
    with running_hub(tmp_path_factory.mktemp("hub"), "xet", *hub_options(recordings, scratch)) as hub:
        world = World(hub, recordings, scratch)
        began = time.monotonic()
        world.deploy_all()
        print(f"{len(world.apps)} private apps and their proxies run after {time.monotonic() - began:.1f} s")
        yield world


@pytest.fixture(params=VERSIONS, ids=lambda version: f"gradio{version}")
def gradio(world: World, request) -> App:
    return world.apps[f"gradio-{request.param}"]


@pytest.fixture
def major(gradio: App) -> int:
    return int(gradio.name.removeprefix("gradio-"))


@pytest.fixture(scope="session")
def browser():
    """Starts Debian's Chromium once."""
    path = os.environ.get("HF_DEPLOY_CHROMIUM")
    if not path:
        assert "CI" not in os.environ, "HF_DEPLOY_CHROMIUM is not set: it names the browser"
        pytest.skip("HF_DEPLOY_CHROMIUM is not set: it names the browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


def pytest_collection_modifyitems(items):
    """Runs the search of the captured bytes last."""
    items.sort(key=lambda item: item.module.__name__ == "test_secrets")
