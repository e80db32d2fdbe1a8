"""The pages of the apps in a real browser, through the proxy."""

from __future__ import annotations

import hashlib
import os
import re
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, Route, WebSocket, expect
from processes import TOKEN
from world import App, World

#: The first page of a version is large, and the machine may be busy.
PATIENCE = 60_000
#: Complaints of Gradio's page without a proxy too: it cannot look up the author of the Space, and it ended a stream.
OWN_DOING = ("Space not found", "AbortError: signal is aborted without reason")


@dataclass
class Visit:
    """A page, and the record of its events."""

    app: App
    page: Page
    asked: list[str] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)

    def check(self) -> None:
        """Asserts that nothing went to or came from the private host, and that no request to the proxy failed."""
        assert self.asked
        for url in self.asked + self.sockets:
            assert self.app.private_host not in url, url
            assert TOKEN not in url, url
        ours = [url for url in self.asked if urllib.parse.urlsplit(url).netloc == self.app.public_host]
        assert ours
        assert self.failed == []
        assert self.errors == []
        for text in [self.page.content().encode(), *self.frames]:
            assert TOKEN.encode() not in text
            assert self.app.private_host.encode() not in text


@contextmanager
def visiting(browser: Browser, app: App) -> Iterator[Visit]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    visit = Visit(app, context.new_page())
    here = f"{app.url}/"

    def elsewhere(route: Route) -> None:
        # Fonts and the like, which this machine cannot load.
        route.fulfill(status=200, body="", content_type="text/css")

    def console(message: ConsoleMessage) -> None:
        # Complaints about other addresses do not concern the proxy.
        if message.text.startswith(OWN_DOING):
            return
        if message.type == "error" and message.location.get("url", "").startswith(here):
            visit.errors.append(f"{message.text} ({message.location['url']})")

    def answered(response: Response) -> None:
        if response.url.startswith(here) and response.status >= 400:
            visit.failed.append(f"{response.status} {response.url}")

    context.route(lambda url: not url.startswith((here, "data:", "blob:")) and app.private_host not in url, elsewhere)
    visit.page.on("request", lambda request: visit.asked.append(request.url))
    visit.page.on("console", console)
    visit.page.on("response", answered)

    def received(frame: bytes | str) -> None:
        visit.frames.append(frame if isinstance(frame, bytes) else frame.encode())

    def socket(opened: WebSocket) -> None:
        visit.sockets.append(opened.url)
        opened.on("framereceived", received)

    visit.page.on("websocket", socket)
    try:
        yield visit
    finally:
        context.close()


def settle(page: Page) -> None:
    """Waits for the end of the last event stream, because Gradio's client holds an earlier call until the next stream,
    with a proxy and without."""
    page.wait_for_timeout(1000)


def test_gradio(browser: Browser, gradio: App, tmp_path: Path):
    with visiting(browser, gradio) as visit:
        page = visit.page
        page.goto(gradio.url)
        page.get_by_label("Name").fill("Ada")
        page.get_by_role("button", name="Greet", exact=True).click()
        greeting = page.get_by_label("Greeting")
        expect(greeting).to_have_value("Hello, Ada!", timeout=PATIENCE)

        # Each piece replaces the previous one, which was visible for a while.
        page.evaluate(
            """() => {
                window.seen = new Set();
                const fields = () => [...document.querySelectorAll("textarea, input")];
                setInterval(() => fields().forEach(field => window.seen.add(field.value)), 20);
            }"""
        )
        settle(page)
        page.get_by_role("button", name="Count", exact=True).click()
        page.wait_for_function("() => [...window.seen].some(text => text.startsWith('Ada 4 '))")
        seen = page.evaluate("() => [...window.seen]")
        assert sum(bool(re.match(r"Ada \d ", text)) for text in seen) >= 3, seen

        settle(page)
        page.get_by_role("button", name="Refuse", exact=True).click()
        expect(page.get_by_text("there is no Ada today")).to_be_visible(timeout=PATIENCE)

        sent = tmp_path / "sent.bin"
        sent.write_bytes(os.urandom(300_000))
        page.locator("input[type=file]").first.set_input_files(sent)
        # The page shows the name before the upload, and ignores clicks until it ends.
        expect(page.locator("a[href*='sent.bin']").first).to_be_visible(timeout=PATIENCE)
        settle(page)
        page.get_by_role("button", name="Copy", exact=True).click()
        link = page.locator("a[download][href*='copy.bin'], a[href*='copy.bin']").first
        expect(link).to_be_visible(timeout=PATIENCE)
        href = urllib.parse.urljoin(page.url, link.get_attribute("href"))
        assert href.startswith(gradio.url), href
        got = page.request.get(href).body()
        assert hashlib.sha256(got).digest() == hashlib.sha256(sent.read_bytes()).digest()
        visit.check()


def test_gradio_components(browser: Browser, gradio: App, major: int):
    """Tests more than calls: typing, a slider, a component with a server, another page, a link to share."""
    with visiting(browser, gradio) as visit:
        page = visit.page
        page.goto(gradio.url)
        expect(page.get_by_text("seen.txt")).to_be_visible(timeout=PATIENCE)
        text = "the quick brown fox jumps over the lazy dog, and then once more, quickly."
        typed = page.get_by_label("Typed", exact=True)
        typed.press_sequentially(text, delay=20)
        settle(page)
        typed.press("!")
        expect(page.get_by_label("Typed copy")).to_have_value(f"{text}!".upper(), timeout=PATIENCE)
        settle(page)
        slider = page.locator("input[type=range]").first
        slider.focus()
        for _ in range(98):
            slider.press("ArrowRight")
        settle(page)
        slider.press("ArrowRight")
        expect(page.get_by_label("Slider copy")).to_have_value("at 99", timeout=PATIENCE)
        settle(page)
        if major >= 5:
            with page.expect_response(lambda response: "deep_link" in response.url) as link:
                page.get_by_role("button", name="Share via Link").click()
            assert link.value.status == 200
            page.goto(f"{gradio.url}/second")
            page.get_by_label("There").fill("Ada")
            page.get_by_role("button", name="Greet there").click()
            expect(page.get_by_label("There")).to_have_value("Hello, Ada!", timeout=PATIENCE)
        visit.check()


def test_a_class_opens_the_page(browser: Browser, world: World):
    """Loads the page in eight browsers behind one address, each with an empty cache."""
    app = world.apps["gradio-5"]
    with ExitStack() as open_pages:
        visits = [open_pages.enter_context(visiting(browser, app)) for _ in range(8)]
        for visit in visits:
            visit.page.goto(app.url, wait_until="commit")
        for visit in visits:
            expect(visit.page.get_by_role("button", name="Greet", exact=True)).to_be_visible(timeout=PATIENCE)
        for visit in visits:
            visit.check()


def test_server_actions(browser: Browser, world: World):
    with visiting(browser, world.apps["nextjs"]) as visit:
        page = visit.page
        page.goto(visit.app.url)
        page.get_by_label("Name").fill("Ada")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved Ada")).to_be_visible(timeout=PATIENCE)
        visit.check()


@pytest.fixture
def streamlit(world: World) -> App:
    return world.apps["streamlit"]


def test_streamlit(browser: Browser, streamlit: App, tmp_path: Path):
    with visiting(browser, streamlit) as visit:
        page = visit.page
        page.goto(streamlit.url)
        expect(page.get_by_text("no one pressed 0 times")).to_be_visible(timeout=PATIENCE)
        page.get_by_label("Name").fill("Ada")
        page.get_by_label("Name").press("Enter")
        expect(page.get_by_text("Ada pressed 0 times")).to_be_visible(timeout=PATIENCE)
        for times in (1, 2):
            page.get_by_role("button", name="Press", exact=True).click()
            expect(page.get_by_text(f"Ada pressed {times} times")).to_be_visible(timeout=PATIENCE)

        content = os.urandom(500_000)
        sent = tmp_path / "sent.bin"
        sent.write_bytes(content)
        page.locator("input[type=file]").set_input_files(sent)
        digest = hashlib.sha256(content).hexdigest()[:16]
        expect(page.get_by_text(f"500000 bytes, {digest}")).to_be_visible(timeout=PATIENCE)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download", exact=True).click()
        assert Path(download.value.path()).read_bytes() == content

        shown = page.locator("code").inner_text().lower()
        # It compares the origin of the page with `Host`, and sees no other host.
        assert "x-forwarded-for: " in shown and "x-forwarded-host" not in shown
        assert "authorization" not in shown
        address = streamlit.url.replace("http", "ws", 1) + "/_stcore/stream"
        assert [url for url in visit.sockets if url.startswith(address)], visit.sockets
        assert visit.frames
        visit.check()
