"""axe-core finds nothing in any state of the widget, in both themes and in forced colours."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
# What is about whole pages: the development page has no landmarks and no heading of its own.
ABOUT_PAGES = ["region", "landmark-one-main", "page-has-heading-one", "document-title", "html-has-lang"]
RUN = """
async (rules) => {
  const off = Object.fromEntries(rules.map((name) => [name, { enabled: false }]));
  const { violations } = await axe.run(document, { rules: off });
  return violations.map(({ id, nodes }) => id + ": " + nodes.map((one) => one.html.slice(0, 200)).join(" | "));
}
"""
UNFOLD = """
() => document.querySelector(".saliency-widget").shadowRoot
  .querySelectorAll("details").forEach((one) => { if (one.querySelector(".fold")) one.open = true; })
"""
DRESSES = {"light": ("light", "none"), "dark": ("dark", "none"), "forced": ("light", "active")}


@pytest.fixture(scope="module")
def harness() -> str:
    """The address of the development page, built anew."""
    subprocess.run(["node", "js/build.mjs", "--dev"], cwd=ROOT, check=True, capture_output=True)
    return (ROOT / "js" / "dev" / "harness.html").as_uri()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that throws nothing."""
    page = context.new_page()
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    yield page
    assert thrown == []


def unfold(page: Page) -> None:
    page.evaluate(UNFOLD)


def by(method: str) -> Callable[[Page], None]:
    def choose(page: Page) -> None:
        page.get_by_role("combobox", name="Method").select_option(method)
        page.wait_for_timeout(400)
        unfold(page)

    return choose


def versus(page: Page) -> None:
    page.get_by_role("combobox", name="Versus").click()
    page.keyboard.type("lynx")


def another(page: Page) -> None:
    page.get_by_role("button", name="tabby").first.click()
    page.wait_for_timeout(1300)


def read_out(page: Page) -> None:
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_text("Strongest places").click()


def corner(page: Page) -> None:
    page.get_by_role("button", name="First corner").click()


STATES: dict[str, tuple[str, Callable[[Page], Any] | None]] = {
    "plain": ("", None),
    "unfolded": ("note", unfold),
    "signed": ("sign=signed&threshold=5", unfold),
    "readings": ("", read_out),
    "panels": ("panels=2", read_out),
    "zoomed": ("zoom=40", None),
    "original": ("frame=1", None),
    "cells": ("grid=7&cells", unfold),
    "parameters": ("delay=50", by("smoothgrad")),
    "baseline": ("delay=50", by("integrated-gradients")),
    "layer": ("delay=50", by("grad-cam")),
    "computing": ("delay=60000", another),
    "silent": ("state=silent", another),
    "error": ("state=error&delay=50", another),
    "empty": ("state=empty", None),
    "zero": ("state=zero", unfold),
    "nan": ("state=nan", unfold),
    "versus": ("", versus),
    "all classes": ("", lambda page: page.get_by_role("combobox", name="Class").click()),
    "help": ("", lambda page: page.get_by_role("button", name="Help").click()),
    "boxes": ("spots=detection", lambda page: page.locator(".stage").first.hover()),
    "all boxes": ("spots=detection&least=0", lambda page: page.get_by_role("combobox", name="Box").click()),
    "pixel": ("spots=segmentation&place=120,88", read_out),
    "region": ("spots=segmentation&place=20,30,90,180", corner),
    "mask": ("spots=segmentation", unfold),
}


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(page: Page, harness: str, state: str) -> None:
    query, act = STATES[state]
    found = {}
    for dress, (theme, forced) in DRESSES.items():
        page.emulate_media(color_scheme=theme, forced_colors=forced)
        page.goto(f"{harness}?{query}&theme={theme}")
        page.locator(".widget").wait_for()
        if act is not None:
            act(page)
        page.wait_for_timeout(200)
        page.add_script_tag(path=AXE)
        wrong = page.evaluate(RUN, ABOUT_PAGES)
        if wrong:
            found[dress] = wrong
    assert found == {}


def test_axe_would_find_a_control_without_a_name(page: Page, harness: str) -> None:
    page.goto(harness)
    page.locator(".widget").wait_for()
    page.evaluate("""() => document.querySelector(".saliency-widget").shadowRoot
        .querySelectorAll(".method label, .method select").forEach((one) => {
            if (one.tagName === "LABEL") one.remove(); else one.removeAttribute("title");
        })""")
    page.add_script_tag(path=AXE)
    assert any("select-name" in one for one in page.evaluate(RUN, ABOUT_PAGES))


def test_nothing_is_wider_than_320_pixels(page: Page, harness: str) -> None:
    page.set_viewport_size({"width": 320, "height": 900})
    page.goto(f"{harness}?panels=2&delay=50&sign=signed")
    page.locator(".widget").wait_for()
    by("smoothgrad")(page)
    read_out(page)
    page.get_by_role("button", name="Help").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
