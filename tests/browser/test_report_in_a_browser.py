"""The report as a reader has it: opened from disk in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from browser import open_browser
from command import Analysis, call
from nibabel.affines import apply_affine
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

import twolevel

SCREENSHOTS = Path(os.environ.get("TWOLEVEL_SCREENSHOTS", "build/screenshots"))
WIDE, PHONE = {"width": 1250, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with open_browser(playwright) as browser:
        yield browser


@pytest.fixture(autouse=True)
def _closed(browser: Browser) -> Iterator[None]:
    """Close what a test opened: a page goes on to draw, on the processor, while it is open."""
    yield
    for context in browser.contexts:
        context.close()


@dataclass
class Opened:
    """A page, and everything that it said and asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def open_page(browser: Browser, path: Path, **options) -> Opened:
    context = browser.new_context(**{"viewport": WIDE, **options})
    opened = Opened(context.new_page())
    opened.page.on("console", lambda message: opened.said.append(message.text))
    opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.page.on("request", lambda request: opened.asked.append(request.url))
    opened.page.goto(path.as_uri())
    return opened


def start_viewer(page: Page, index: int = 0) -> None:
    page.locator(f"button.start[data-contrast='{index}']").click()
    expect(page.locator("#viewer[data-state=ready]")).to_be_visible(timeout=60_000)


def visible(page: Page) -> int:
    return int(page.locator("#viewer").get_attribute("data-visible") or -1)


def place(page: Page) -> tuple[float, ...]:
    """Return the place that the viewer tells of."""
    text = page.locator(".where").inner_text()
    found = re.search(r"\((-?[\d.]+), (-?[\d.]+), (-?[\d.]+)\) mm", text)
    assert found, text
    return tuple(float(number) for number in found.groups())


def group_map(output_dir: Path, contrast: str, stat: str = "z") -> nib.Nifti1Image:
    (path,) = (output_dir / "group").glob(f"*_contrast-{contrast}_stat-{stat}_statmap.nii.gz")
    return nib.load(path)


@pytest.fixture
def report(analysed: Analysis) -> Path:
    return analysed.output_dir / "report.html"


def test_it_opens_from_disk_without_a_word_and_asks_for_nothing(browser, report):
    opened = open_page(browser, report)
    start_viewer(opened.page)
    opened.page.locator("details summary").first.click()
    assert opened.said == []
    elsewhere = [url for url in opened.asked if not url.startswith(("data:", "blob:"))]
    assert elsewhere == [report.as_uri()]


def test_the_page_forbids_every_request(browser, report):
    opened = open_page(browser, report)
    policy = opened.page.locator("meta[http-equiv=Content-Security-Policy]")
    words = policy.get_attribute("content") or ""
    assert words.startswith("default-src 'none'; ")
    assert not re.search(r"https?:|\*|'self'", words)


def test_links_lead_somewhere(browser, report):
    page = open_page(browser, report).page
    links = [a.get_attribute("href") or "" for a in page.locator("a[href]").all()]
    assert len(links) > 15
    for link in links:
        if link.startswith("#"):
            assert page.locator(f"[id='{unquote(link[1:])}']").count() == 1, link
        else:
            assert (report.parent / unquote(link)).is_file(), link


def test_dragging_moves_the_crosshair(browser, report):
    page = open_page(browser, report).page
    start_viewer(page)
    before = place(page)
    box = page.locator(".planes canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.15, box["y"] + box["height"] * 0.5, steps=5)
    page.mouse.up()
    x, y, z = place(page)
    assert (x, y) != before[:2]
    assert z == before[2]  # in the axial plane
    numbers = [float(page.locator(f"input[name={axis}]").input_value()) for axis in "xyz"]
    assert numbers == [x, y, z]


def test_the_slider_thresholds(browser, report, analysed):
    page = open_page(browser, report).page
    start_viewer(page, 2)
    z = np.nan_to_num(group_map(analysed.output_dir, "pumps").get_fdata())
    slider = page.locator("input[name=threshold]")
    canvas = page.locator(".planes canvas")
    pictures = []
    for share in (0.25, 0.5, 0.9):
        top = float(slider.get_attribute("max") or 0)
        assert top == pytest.approx(np.abs(z).max(), rel=1e-3)
        slider.fill(str(share * top))
        threshold = float(slider.input_value())
        # The viewer has z in 8,000 steps.
        least, most = ((np.abs(z) >= threshold + d).sum() for d in (0.002, -0.002))
        assert least <= visible(page) <= most
        assert most > 0
        pictures.append(canvas.screenshot())
    assert len(set(pictures)) == 3


def test_opacity_hides_the_map(browser, report):
    page = open_page(browser, report).page
    start_viewer(page)
    canvas = page.locator(".planes canvas")
    whole = canvas.screenshot()
    page.locator("input[name=opacity]").fill("0")
    without = canvas.screenshot()
    assert whole != without
    page.locator("input[name=opacity]").fill("1")
    assert canvas.screenshot() == whole


def test_outside_the_mask_nothing_was_analysed(browser, report):
    page = open_page(browser, report).page
    start_viewer(page)
    expect(page.locator(".where")).to_contain_text("z = ")
    page.locator("input[name=z]").fill("-70")
    expect(page.locator(".where")).to_contain_text("not analysed")


def test_the_last_of_many_quick_clicks_counts(browser, report):
    page = open_page(browser, report).page
    for index in (0, 1, 2, 3):
        page.locator(f"button.start[data-contrast='{index}']").click(no_wait_after=True)
    expect(page.locator(".where")).to_contain_text("cash at (", timeout=60_000)
    expect(page.locator("section[id$=-cash] #viewer")).to_be_visible()


def test_each_test_shows_the_voxels_that_its_table_counts(browser, report, analysed):
    page = open_page(browser, report).page
    (path,) = (analysed.output_dir / "group").glob("*_tests.tsv")
    table = pd.read_csv(path, sep="\t")
    for index, (contrast, rows) in enumerate(table.groupby("contrast", sort=False)):
        start_viewer(page, index)
        expect(page.locator(".where")).to_contain_text(f"{contrast} at ")
        for test, n_voxels in zip(rows["test"], rows["n_voxels"], strict=True):
            page.locator("select[name=test]").select_option(test)
            assert visible(page) == n_voxels, (contrast, test)


def test_a_row_moves_the_crosshair_and_shows_every_subject(browser, report, analysed):
    page = open_page(browser, report).page
    section = page.locator("section[id$=-pumps]")
    section.locator("details summary").first.click()
    row = section.locator("details").first.locator("tr[data-peak]").nth(1)
    cells = row.locator("td").all_inner_texts()
    row.click()
    expect(page.locator("#viewer[data-state=ready]")).to_be_visible(timeout=60_000)
    there = [float(cell) for cell in cells[4:7]]
    assert list(place(page)) == there
    assert page.locator("select[name=test]").input_value() == row.get_attribute("data-test")
    expect(page.locator(".where")).to_contain_text(cells[7].removeprefix("near ").split(" (")[0])
    assert "chosen" in (row.get_attribute("class") or "")
    told = page.locator(".effects title").all_text_contents()
    assert len(told) == 3 + 1
    group_effect = group_map(analysed.output_dir, "pumps", "effect")
    voxel = tuple(np.rint(apply_affine(np.linalg.inv(group_effect.affine), there)).astype(int))
    for subject in ("01", "02", "03"):
        folder = analysed.output_dir / f"sub-{subject}" / "func"
        value, variance = (
            nib.load(path).get_fdata()[voxel]
            for stat in ("effect", "variance")
            for path in folder.glob("*_contrast-pumps_stat-" + stat + "_statmap.nii.gz")
            if "_run-" not in path.name
        )
        words = next(text for text in told if text.startswith(f"sub-{subject}"))
        shown, half = (float(n) for n in re.findall(r"(-?[\d.e-]+)(?: ±|$)", words))
        assert shown == pytest.approx(value, rel=1e-3)
        # 2 runs of 59 volumes: t(0.975) is 1.99 to 2.02 for 35 to 100 degrees of freedom.
        assert half == pytest.approx(2.0 * np.sqrt(variance), rel=0.02)
    whole = next(text for text in told if text.startswith("group"))
    assert float(whole.split()[1]) == pytest.approx(group_effect.get_fdata()[voxel], rel=1e-3)


def test_the_keyboard_is_enough(browser, report):
    page = open_page(browser, report).page
    page.keyboard.press("Tab")
    assert page.locator("a.skip:focus").count() == 1
    page.locator("button.start").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer[data-state=ready]")).to_be_visible(timeout=60_000)
    page.locator("input[name=x]").fill("-20")
    assert place(page)[0] == pytest.approx(-20, abs=2.1)
    section = page.locator("section[id^=contrast-]").first
    section.locator("details summary").first.focus()
    page.keyboard.press("Enter")
    button = section.locator("tr[data-peak] button").first
    button.focus()
    page.keyboard.press("Enter")
    expect(section.locator("tr.chosen")).to_have_count(1)
    page.locator("button.close").click()
    expect(page.locator("#viewer")).to_be_hidden()
    expect(button).to_be_focused()
    page.locator("button.start").first.click()
    expect(page.locator("#viewer")).to_be_visible()


def test_without_webgl_it_says_so_and_the_rest_stays(playwright, analysed):
    without = ("--disable-gpu", "--disable-webgl", "--disable-webgl2")
    with open_browser(playwright, *without) as browser:
        opened = open_page(browser, analysed.output_dir / "report.html")
        opened.page.locator("button.start").first.click()
        expect(opened.page.locator("#viewer[data-state=failed]")).to_be_visible(timeout=60_000)
        expect(opened.page.locator(".where")).to_contain_text("no WebGL 2")
        assert opened.page.locator("section[id^=contrast-] img").count() > 0
        assert opened.said == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"color_scheme": "light"}),
        ("dark", {"color_scheme": "dark"}),
        ("phone", {"viewport": PHONE, "is_mobile": True}),
    ],
)
def test_screenshots_are_kept_and_nothing_sticks_out(browser, report, name, options):
    opened = open_page(browser, report, bypass_csp=True, **options)
    page = opened.page
    start_viewer(page)
    page.locator("#subjects details summary").first.click()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"report-{name}.png", full_page=True)
    page.locator("#viewer").screenshot(path=SCREENSHOTS / f"viewer-{name}.png")
    wide, room = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= room
    loaded = page.evaluate("[...document.images].every(i => !i.complete || i.naturalWidth > 0)")
    assert loaded
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(22, 24, 27)") == (name == "dark")


def test_on_paper_tables_are_unfolded_and_buttons_are_gone(browser, report, tmp_path):
    page = open_page(browser, report).page
    row = page.locator("tr[data-peak]").first
    expect(row).to_be_hidden()
    page.emulate_media(media="print")
    expect(row).to_be_visible()
    expect(page.locator("nav")).to_be_hidden()
    expect(page.locator("button.start").first).to_be_hidden()
    page.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").stat().st_size > 100_000


def test_text_from_files_does_no_harm(browser, analysed, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(analysed.output_dir, results)
    harm = "</script><script>document.title = 'harm'</script><img src=x onerror=alert(1)>"
    (path,) = results.glob("group/*_contrast-pumps_stat-z_statmap.json")
    sidecar = json.loads(path.read_text())
    sidecar["Contrast"]["Name"] = harm
    path.write_text(json.dumps(sidecar))
    call("report", results)
    opened = open_page(browser, results / "report.html")
    start_viewer(opened.page, 2)
    assert opened.page.title() == "twolevel: balloon"
    expect(opened.page.locator(".where")).to_contain_text(harm)
    assert opened.page.locator("img[src=x]").count() == 0
    assert opened.said == []


def test_the_view_for_notebooks_starts_by_itself_in_a_frame(browser, analysed, tmp_path):
    view = twolevel.view(analysed.output_dir, "pumps")
    path = tmp_path / "notebook.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{view._repr_html_()}</body>")
    opened = open_page(browser, path)
    frame = opened.page.frame_locator("iframe")
    expect(frame.locator("#viewer[data-state=ready]")).to_be_visible(timeout=60_000)
    expect(frame.locator(".where")).to_contain_text("pumps at (")
    assert opened.said == []


def test_the_view_of_a_single_map(browser, analysed, tmp_path):
    (path,) = analysed.output_dir.glob("group/*_contrast-cash_stat-effect_statmap.nii.gz")
    page = twolevel.view(path).save(tmp_path / "view.html")
    opened = open_page(browser, page)
    expect(opened.page.locator("#viewer[data-state=ready]")).to_be_visible(timeout=60_000)
    values = np.nan_to_num(nib.load(path).get_fdata())
    largest = values.flat[np.abs(values).argmax()]
    words = opened.page.locator(".where").inner_text()
    assert float(words.rpartition("= ")[2]) == pytest.approx(largest, abs=0.006 * abs(largest))
    assert opened.said == []
