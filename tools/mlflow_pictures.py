"""Pictures of MLflow's pages with two runs in them, taken by Chromium."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

NAMES = ("mlflow-runs.png", "mlflow-compare.png", "mlflow-card.png", "mlflow-versions.png")
_SIZE = {"width": 1200, "height": 680}
# MLflow's server imports much; on a busy machine it takes a minute.
_SECONDS = 180
_MODE = "workflowType=machine_learning"
# Shown by default, and chosen instead.
_HIDDEN = ("Dataset", "Source")
_COLUMNS = ("model.estimator", "roc_auc", "roc_auc_low", "roc_auc_high", "brier")


# An assistant that needs a network, and where this machine keeps a file.
_TIDY = """() => {
  for (const part of document.querySelectorAll("body *")) {
    const box = part.getBoundingClientRect()
    const corner = box.right > innerWidth - 100 && box.bottom > innerHeight - 100 && box.width < 90
    if (corner && getComputedStyle(part).position === "fixed") part.style.visibility = "hidden"
    if (/^Path: /.test(part.textContent)) part.style.visibility = "hidden"
  }
}"""


@contextmanager
def server(store: Path) -> Iterator[str]:
    """MLflow's pages over a store, while they are looked at.

    Parameters
    ----------
    store : Path
        SQLite file.

    Yields
    ------
    str
        Their address.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mlflow = str(Path(sys.executable).parent / "mlflow")
    command = [mlflow, "ui", "--backend-store-uri", f"sqlite:///{store}", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        command,
        cwd=store.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(f"{address}/health")
        yield address
    finally:
        # It has started others.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait(address: str) -> None:
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 our own address
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    raise SystemExit(f"MLflow did not answer within {_SECONDS} s")


def take(store: Path, model: str) -> dict[str, bytes]:
    """Every picture.

    Parameters
    ----------
    store : Path
        SQLite file with two runs of the experiment `als-ml`.
    model : str
        Registered name of their versions.

    Returns
    -------
    dict
        Name of `NAMES` -> PNG.
    """
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("the pictures of MLflow need Chromium (Debian's package `chromium`)")
    with server(store) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=_SIZE)  # type: ignore[arg-type]
        page.set_default_timeout(30_000)
        # The new page of models asks once whether one wants it.
        page.add_init_script("localStorage.setItem('mlflow.assistant.open', 'false')")
        runs = f"{address}/#/experiments/1/runs"
        taken = [
            _runs(page, runs),
            _compare(page),
            _card(page, runs),
            _versions(page, address, model),
        ]
        browser.close()
    return dict(zip(NAMES, taken, strict=True))


def _shot(page: "Page") -> bytes:
    page.wait_for_timeout(1500)
    page.evaluate(_TIDY)
    return bytes(page.screenshot(animations="disabled"))


def _runs(page: "Page", address: str) -> bytes:
    """The list of runs, with the columns that tell them apart, both chosen."""
    page.goto(f"{address}?{_MODE}")
    page.get_by_text("matching runs").wait_for()
    if page.get_by_role("button", name="Close").count():
        page.get_by_role("button", name="Close").first.click()
    page.get_by_role("button", name="Columns").click()
    panel = page.locator("[data-radix-popper-content-wrapper]")
    for name in (*_HIDDEN, *_COLUMNS):
        panel.get_by_placeholder("Search columns").fill(name)
        page.wait_for_timeout(500)
        panel.hover()
        _scrolled_to(page, panel.locator("span").filter(has_text=re.compile(f"^{name}$"))).click()
    page.keyboard.press("Escape")
    page.get_by_label("Select all runs").click()
    return _shot(page)


def _scrolled_to(page: "Page", wanted: "Locator") -> "Locator":
    """A line of a list that draws only what is seen of it."""
    for _ in range(40):
        if wanted.count():
            break
        page.mouse.wheel(0, 120)
        page.wait_for_timeout(100)
    return wanted.first


def _compare(page: "Page") -> bytes:
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("Comparing 2 Runs").wait_for()
    return _shot(page)


def _card(page: "Page", address: str) -> bytes:
    page.goto(f"{address}?{_MODE}")
    page.get_by_role("link", name="trees").click()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("model_card.html").click()
    page.wait_for_timeout(3000)
    return _shot(page)


def _versions(page: "Page", address: str, model: str) -> bytes:
    page.goto(f"{address}/#/models/{model}?{_MODE}")
    page.wait_for_timeout(3000)
    if page.get_by_role("button", name="Try it now").count():
        page.get_by_role("button", name="Try it now").click()
    return _shot(page)


if __name__ == "__main__":
    os.umask(0o022)
    for name, picture in take(Path(sys.argv[1]).resolve(), sys.argv[2]).items():
        (Path(sys.argv[3]) / name).write_bytes(picture)
