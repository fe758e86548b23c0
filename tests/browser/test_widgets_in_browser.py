"""Clicks in Voila and JupyterLab: the text and the picture must follow."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

ROOT_NOTEBOOK = "02_multi_round_thinking"
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def panel(page: Page, control: str):
    """The panel that has a given control."""
    return page.locator(".motif-panel", has=page.locator(f".motif-{control}")).first


@pytest.fixture
def gallery(page, voila, outside):
    """The gallery in Voila, run to its end; nothing may leave the machine but Voila's own icon style sheet."""
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(voila.url("/voila/render/gallery.ipynb"))
    expect(panel(page, "group").locator("svg")).to_be_visible(timeout=120_000)
    yield page
    assert not dialogs, "text of a model ran as a script"
    assert all("fontawesome" in url for url in outside), outside


def test_stepper(gallery, shot):
    stepper = panel(gallery, "round")
    picture = stepper.locator(".motif")
    expect(picture).to_contain_text("round 1 of 3")
    first = stepper.locator(".motif").screenshot()
    stepper.locator(".motif-next").click()
    expect(picture).to_contain_text("round 2 of 3")
    expect(picture.locator("mark").first).to_contain_text("apples <img src=x")  # the note, in the prompt, as text
    assert stepper.locator(".motif").screenshot() != first
    shot("stepper", stepper)
    stepper.locator(".noUi-handle").focus()
    gallery.keyboard.press("ArrowRight")
    expect(picture).to_contain_text("round 3 of 3")
    expect(stepper.locator(".motif-next")).to_be_disabled()
    stepper.locator(".motif-trajectory select").select_option(index=4)
    expect(picture).to_contain_text("✓ right (outcome 1)")


def test_stepper_asks_live(gallery):
    stepper = panel(gallery, "round")
    stepper.locator("textarea").fill("Ben has 1 <script>alert(1)</script> book.")
    stepper.locator(".motif-ask").click()
    expect(stepper.locator("select option")).to_have_count(33)
    expect(stepper.locator(".motif pre").nth(1)).to_contain_text("<script>alert(1)</script>")


def test_meter(gallery, shot):
    meter = panel(gallery, "budget")
    expect(meter.locator(".motif-bar")).to_have_count(3)
    expect(meter.locator(".motif")).not_to_contain_text("do not fit")
    before = meter.locator(".motif").screenshot()
    meter.locator(".motif-rounds .noUi-handle").focus()
    gallery.keyboard.press("ArrowLeft")
    gallery.keyboard.press("ArrowLeft")
    expect(meter.locator(".motif-bar")).to_have_count(1)
    expect(meter.locator(".motif")).to_contain_text("7 of 12 steps do not fit")
    assert meter.locator(".motif").screenshot() != before
    shot("meter", meter)


def test_reward_lab(gallery, shot):
    lab = panel(gallery, "reply")
    table = lab.locator(".motif table")
    answer = table.locator("tr").nth(1)
    expect(answer).to_contain_text("=")
    before = table.screenshot()
    lab.locator("textarea").fill(r"<answer>\boxed{48.0}</answer><img src=x onerror=alert(1)>")
    gallery.keyboard.press("Tab")
    expect(answer).to_contain_text("≠")
    expect(answer).to_contain_text("writes the same answer another way")
    assert table.screenshot() != before
    shot("lab", lab)


def test_branch_tree(gallery, shot):
    tree = panel(gallery, "group")
    expect(tree.locator("svg circle")).to_have_count(1 + 8 + 8 * 4 * 2)
    shot("tree", tree)
    before = tree.locator("svg").screenshot()
    tree.locator(".motif-k .noUi-handle").focus()
    gallery.keyboard.press("ArrowLeft")
    expect(tree.locator("svg circle")).to_have_count(1 + 8 + 8 * 3 * 2)
    assert tree.locator("svg").screenshot() != before


def run_all(page: Page, server, name: str) -> None:
    """Open a notebook in JupyterLab and run it. Only the status bar tells when the kernel is ready for cells."""
    page.goto(server.url(f"/lab/tree/{name}.ipynb?reset"))
    expect(page.locator("#jp-main-statusbar").get_by_text(re.compile(r"\| Idle$"))).to_be_visible(timeout=90_000)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    numbered = re.compile(r"\[\d+\]:")
    expect(page.locator(".jp-CodeCell .jp-InputPrompt").last).to_have_text(numbered, timeout=180_000)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_lab_shows_the_stepper(page, lab, outside, shot, theme):
    run_all(page, lab, "gallery")
    page.evaluate("theme => { window.jupyterapp.commands.execute('apputils:change-theme', {theme}) }", theme)
    # A click while the new style sheet moves the page is lost.
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    stepper = panel(page, "round")
    expect(stepper.locator(".motif")).to_contain_text("round 1 of 3")
    stepper.locator(".motif-next").click()
    expect(stepper.locator(".motif")).to_contain_text("round 2 of 3")
    dark = theme.endswith("Dark")
    channel = int(re.findall(r"\d+", stepper.locator(".motif").evaluate("e => getComputedStyle(e).color"))[0])
    assert (channel > 150) == dark, "the text must stand out from the page of its theme"
    for name in ("round", "budget", "reply", "group"):
        page.evaluate("n => document.querySelector(`.motif-${n}`).scrollIntoView()", name)
        shot(f"lab_{name}_{'dark' if dark else 'light'}", panel(page, name))
    assert outside == []


def test_notebook_in_lab(page, lab, outside, folder):
    if not (folder / f"{ROOT_NOTEBOOK}.ipynb").exists():
        pytest.fail(f"notebooks/{ROOT_NOTEBOOK}.py is missing")
    run_all(page, lab, ROOT_NOTEBOOK)
    stepper = panel(page, "round")
    stepper.scroll_into_view_if_needed()
    expect(stepper.locator(".motif")).to_contain_text("round 1 of 3")
    stepper.locator(".motif-next").click()
    expect(stepper.locator(".motif")).to_contain_text("round 2 of 3")
    assert outside == []
