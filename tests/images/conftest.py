"""Shared by the tests: both images, built once, and a Hub."""

from __future__ import annotations

import time

import pytest
from images import Image, build, stand_in
from processes import ROOT, TOKEN, running_hub


@pytest.fixture(scope="session")
def figures(pytestconfig):
    """Prints a figure in the log, also if the tests pass."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def tell(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{line}", flush=True)

    return tell


@pytest.fixture(scope="session")
def base(figures) -> None:
    began = time.monotonic()
    stand_in()
    figures(f"the base image is there after {time.monotonic() - began:.0f} s")


def timed_build(name: str, folder, figures) -> Image:
    began = time.monotonic()
    image = build(name, folder)
    figures(f"{name} is built after {time.monotonic() - began:.0f} s: {image.compressed_size:,} bytes compressed")
    return image


@pytest.fixture(scope="session")
def action(base, figures) -> Image:
    return timed_build("hf-deploy", ROOT, figures)


@pytest.fixture(scope="session")
def proxy(base, figures) -> Image:
    return timed_build("hf-proxy", ROOT / "proxy-template", figures)


@pytest.fixture
def hub(tmp_path):
    """Starts a Hub, and checks after the test that every request kept the contract."""
    with running_hub(tmp_path / "hub") as hub:
        yield hub
        assert hub.violations() == []
        for request in hub.requests():
            assert TOKEN not in request["path"] + request["query"] + request["body"]
