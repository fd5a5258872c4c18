"""A real browser: the machine's own Chromium, driven by Playwright, which brings none and downloads none here."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from effort import IN_CI
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")  # the lightest first
AXE = Path(__file__).with_name("axe-core") / "axe.min.js"
POLL_SECONDS = 0.02  # for the wish to stop
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def chromium() -> str:
    """Where it is. Without one, tests that need it are skipped; but not in CI, which brings one."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and IN_CI:
        raise RuntimeError("no Chromium here: see .ci/run")
    return found or pytest.skip("no Chromium here (Debian: apt-get install chromium-headless-shell libatomic1)")


@contextmanager
def browsing() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--disable-quic"])
        yield browser
        browser.close()


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """The application on a free port of this machine; its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def violations(page: Page) -> list[dict[str, Any]]:
    """What axe-core finds on the page, of some weight. It runs beside the page, whose policy allows no script."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    assert found["passes"], "axe-core looked at nothing"
    return [
        {"rule": one["id"], "help": one["help"], "at": [node["html"] for node in one["nodes"]]}
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
