"""A real browser: Debian's chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# Without these a browser asks its maker's servers for this and that.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",  # as root there is none
)
# WebGL without a graphics card.
SOFTWARE_GL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")


def find_browser() -> str:
    """Return the path of a browser; skip the test where there is none, but not in CI."""
    for program in PROGRAMS:
        if path := shutil.which(program):
            return path
    if os.environ.get("CI"):
        raise FileNotFoundError("CI must have a browser: .ci/run installs chromium")
    pytest.skip("no chromium here: apt-get install chromium")


@contextmanager
def open_browser(playwright: Playwright | None = None, *arguments: str) -> Iterator[Browser]:
    """Start a browser without a window, with other arguments than for WebGL, and end it."""
    with nullcontext(playwright) if playwright else sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=find_browser(), args=[*QUIET, *(arguments or SOFTWARE_GL)]
        )
        yield browser
        browser.close()
