"""The report's page in headless Chromium: slider, hover, published reading, no error, no request, three widths.

Skipped, with a message, where neither playwright nor a Chromium can be had (`make browser` tries to install one).
"""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from lvm_core.ranks import hit_at_k_in_pool
from study.analysis.cells import share
from study.analysis.units import Units
from tests.planted import POOL

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = {"phone": 390, "tablet": 820, "desktop": 1280}
pytestmark = pytest.mark.browser
WHY = "no browser: neither playwright nor a Chromium was found, so that the page was not driven. Try `make browser`."


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason=WHY)
    with sync_api.sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        path = own if Path(own).exists() else next(filter(None, map(shutil.which, NAMES)), None)
        if path is None:
            pytest.skip(WHY)
        # a container's root may have no sandbox; the page is our own
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield started
        started.close()


@pytest.fixture(scope="module")
def file(made_page, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(made_page, encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def opened(browser, file):
    """Open the page; fail where it says anything on the console or asks for anything but itself."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file)
    page.wait_for_selector("html[data-ready]")
    yield page
    assert said == []
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [file]
    context.close()


def show(page, section: str) -> None:
    page.locator(f"section#{section}").scroll_into_view_if_needed()
    page.locator(f"section#{section} .plot .main-svg").first.wait_for()


def slide(page, pool: int) -> None:
    """Move the slider by keyboard to a pool."""
    stops = page.evaluate("JSON.parse(document.getElementById('data').textContent).pools")
    page.locator("#pool").focus()
    for _ in range(len(stops) - 1 - stops.index(pool)):
        page.keyboard.press("ArrowLeft")
    page.locator("#pool-value", has_text=re.compile(rf"^{pool:,} ")).wait_for()
    page.wait_for_timeout(150)


def drawn(page, figure: str, trace: int) -> dict:
    kept = "(({x, y, z, name, error_y}) => ({x, y, z, name, error_y}))"
    return json.loads(page.evaluate(f"JSON.stringify({kept}(document.getElementById('plot-{figure}').data[{trace}]))"))


def hits(made, cell: str, pool: int):
    ids = made.trials[
        (made.trials.cell_id == cell) & (made.trials.stage == "confirm") & (made.trials.status == "completed")
    ]
    frames = [made.ranks[made.ranks.trial_id == trial_id] for trial_id in ids.sort_values("replicate").trial_id]
    return [hit_at_k_in_pool(frame["rank"], frame.num_ties, 5, POOL, pool) for frame in frames], frames[0].chain_id


@pytest.mark.parametrize("pool", [115, 500])
def test_the_slider_moves_figures_and_tables_to_the_values_of_pandas(opened, made, pool):
    values, chains = hits(made, "C4_N1000", pool)
    expected = sum(value.mean() for value in values) / len(values)
    show(opened, "map")
    slide(opened, pool)
    assert drawn(opened, "map", 0)["z"][1][3] == pytest.approx(expected, abs=1e-4)
    show(opened, "context")
    opened.wait_for_timeout(300)
    line = next(line for line in (drawn(opened, "against-c", i) for i in range(14)) if line["name"] == "N=1,000")
    assert line["y"][1] == pytest.approx(expected, abs=1e-4)
    _, low, high = share(np.stack(values), Units.of(chains.to_numpy(), np.arange(len(chains))))
    assert line["error_y"]["array"][1] == pytest.approx(high - expected, abs=2e-4)
    row = opened.locator("#figure-map table tbody tr").filter(has_text=re.compile(r"^4\s*1,000")).first
    assert f"{expected:.3f} [{low:.3f}, {high:.3f}]" in row.text_content()


def test_hovering_a_cell_shows_its_interval(opened, made):
    show(opened, "map")
    cell = opened.evaluate(
        "(() => { const plot = document.getElementById('plot-map'); const box = plot.getBoundingClientRect();"
        "const {xaxis, yaxis} = plot._fullLayout; return [box.x + xaxis._offset + xaxis.d2p(3) + 30,"
        "box.y + yaxis._offset + yaxis.d2p(1) + 18]; })()"
    )
    opened.mouse.move(*cell)
    opened.wait_for_selector("#plot-map .hovertext")
    text = opened.locator("#plot-map .hovertext").first.text_content()
    assert re.search(r"C=4, N=1,000.*Hit@5 0\.\d{3}, 95 % interval 0\.\d{3} to 0\.\d{3}", text)


def test_the_switch_lays_the_published_reading_over_the_controlled_one(opened):
    show(opened, "context")
    before = opened.evaluate("document.getElementById('plot-against-c').data.length")
    opened.locator("#published").check()
    opened.wait_for_timeout(300)
    names = opened.evaluate("document.getElementById('plot-against-c').data.map((trace) => trace.name)")
    assert len(names) > before and any("as published" in name for name in names)
    opened.locator("#published").uncheck()
    opened.wait_for_timeout(300)
    assert opened.evaluate("document.getElementById('plot-against-c').data.length") == before


def test_every_section_draws_its_figures(opened):
    sections = opened.locator("main > section").all()
    assert len(sections) > 10
    for section in sections:
        section.scroll_into_view_if_needed()
        opened.wait_for_timeout(350)
    for plot in opened.locator("[data-figure]").all():
        plot.scroll_into_view_if_needed()
    opened.wait_for_timeout(500)
    drawn_all = "[...document.querySelectorAll('[data-figure]')].every((plot) => plot.querySelector('.main-svg'))"
    assert opened.evaluate(drawn_all)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", WIDTHS)
def test_the_page_fits_its_width_in_light_and_dark(browser, file, tmp_path, name, scheme):
    page = browser.new_page(viewport={"width": WIDTHS[name], "height": 900}, color_scheme=scheme)
    page.goto(file)
    page.wait_for_selector("html[data-ready]")
    show(page, "map")
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[name]
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    assert len(page.screenshot(path=folder / f"page-{name}-{scheme}.png")) > 10_000
    page.close()


def test_printing_draws_every_figure_on_white(opened):
    opened.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.evaluate("[...document.querySelectorAll('[data-figure]')].every((p) => p.querySelector('.main-svg'))")
    opened.evaluate("dispatchEvent(new Event('afterprint'))")
