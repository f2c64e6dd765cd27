"""A browser and a running box for the tests of a file; every test gets a browser profile of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.page_box import PASSWORD, PageBox

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
WIDE = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}
PICTURES = Path(__file__).resolve().parents[2] / "test-results" / "web"
FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/web/" in item.path.as_posix():
            item.add_marker(pytest.mark.web)
            # Browser, its driver and box start what they need when they like; all end with the file, as is checked.
            item.add_marker(pytest.mark.leaves("children", "threads"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        pytest.fail("chromium is not installed; remedy: scripts/test web, or apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageBox]:
    made = PageBox(tmp_path_factory.mktemp("box"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def open_page(browser: Any, box: PageBox, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """`open_page(login, path, viewport)`: a page of a browser of its own, signed in unless login is empty.

    At the end of the test no page may have logged an error that the test did not expect.
    """
    contexts, said = [], []

    def start(login: str = "chen", path: str = "/desk", viewport: dict[str, int] | None = None) -> Any:
        context = browser.new_context(locale="zh-CN", timezone_id="America/New_York", viewport=viewport or WIDE)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.goto(box.address(path))
        if login:
            sign_in(page, login)
            page.wait_for_url("**" + path)
        return page

    start.said = said  # type: ignore[attr-defined]
    yield start
    for number, context in enumerate(contexts):
        if request.node.stash.get(FAILED, False):
            # What a person would have seen, for who reads the failure.
            PICTURES.mkdir(parents=True, exist_ok=True)
            for page in context.pages:
                page.screenshot(path=PICTURES / f"{request.node.name}-{number}.png")
        context.close()
    network = [line for line in said if "Failed to load resource" in line or "ERR_" in line]
    assert [line for line in said if line not in network] == []


def sign_in(page: Any, login: str, password: str = PASSWORD) -> None:
    page.fill("[name=login]", login)
    page.fill("[name=password]", password)
    page.press("[name=password]", "Enter")
