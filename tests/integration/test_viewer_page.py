"""The viewer's page in a real browser: what a person sees and does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from synthetic_published import MODELS, write
from viewer_process import Client, serving

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NOW = datetime.now(UTC)
NOTICE = "A rehearsal: these figures are invented."
SCREENSHOTS = Path(__file__).parents[2] / ".cache" / "screenshots"
FORECAST = "?dashboard=groundswell-forecast"
COLOURS_OF_A_CANVAS = """canvas => {
    const copy = document.createElement('canvas');
    Object.assign(copy, { width: canvas.width, height: canvas.height });
    const context = copy.getContext('2d', { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, copy.width, copy.height);
    const colours = new Set();
    for (let at = 0; at < data.length; at += 4)
        if (data[at + 3] > 200)
            colours.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
    return colours.size;
}"""
NOTHING = {"", "\N{EN DASH}"}
SCREENS = {
    "wide": {"viewport": {"width": 1400, "height": 1000}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1400, "height": 1000}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if which(CHROMIUM) is None:
        pytest.skip("Chromium is not installed: run `apt-get install chromium`")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    path = tmp_path_factory.mktemp("published") / "published.duckdb"
    write(path, NOW, NOTICE)
    with serving(path) as client:
        yield client


class Watched:
    """A page, and everything about it that should not be."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.troubles: list[str] = []
        self.hosts: set[str] = set()
        page.on(
            "console",
            lambda message: (
                message.type in {"error", "warning"}
                and self.troubles.append(message.text)
            ),
        )
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))


@pytest.fixture
def watched(browser: Browser, client: Client) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    watched = Watched(context.new_page())
    yield watched
    context.close()
    assert watched.troubles == []
    assert watched.hosts == {client.url.split("/")[2]}, "asked someone else"


@pytest.fixture
def page(watched: Watched, client: Client) -> Page:
    show(watched.page, client.url)
    return watched.page


def show(page: Page, url: str) -> None:
    page.goto(url)
    settled(page)


def settled(page: Page) -> None:
    """Wait until every panel has its answer."""
    expect(page.locator(".panel").first).to_be_visible()
    expect(page.locator(".panel[data-state=loading], .panel[aria-busy]")).to_have_count(
        0
    )


def panel(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


def figure(page: Page, title: str) -> str:
    return panel(page, title).locator(".figure").inner_text()


def assert_all_panels_show_figures(page: Page) -> None:
    settled(page)
    expect(page.locator(".panel:not([data-state=ready])")).to_have_count(0)
    assert page.locator(".panel").count() > 10
    for canvas in page.locator(".canvas canvas").all():
        assert canvas.evaluate(COLOURS_OF_A_CANVAS) > 3
    for stat in page.locator(".panel.stat").all():
        assert stat.locator(".figure").inner_text().strip() not in NOTHING
    for table in page.locator(".panel.table").all():
        assert table.locator("tbody tr").count() > 0


def assert_nothing_is_cut_off(page: Page) -> None:
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for title in page.locator(".panel h2").all():
        assert title.evaluate(
            "e => e.scrollWidth <= e.clientWidth + 1"
            " && e.getBoundingClientRect().bottom"
            " <= e.closest('.panel').getBoundingClientRect().bottom"
        ), title.inner_text()


@pytest.mark.parametrize("address", ["", FORECAST])
@pytest.mark.parametrize("screen", SCREENS)
def test_every_panel_shows_figures_on_every_screen(
    browser: Browser, client: Client, address: str, screen: str
) -> None:
    settings: Any = SCREENS[screen]
    context = browser.new_context(**settings)
    watched = Watched(context.new_page())
    show(watched.page, client.url + address)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    name = f"{'forecast' if address else 'overview'}-{screen}.png"
    watched.page.screenshot(path=SCREENSHOTS / name, full_page=True)
    assert_all_panels_show_figures(watched.page)
    assert_nothing_is_cut_off(watched.page)
    context.close()
    assert watched.troubles == []


@pytest.mark.timeout(300)
def test_the_demo_fills_every_panel(browser: Browser, demo: Path) -> None:
    with serving(demo / "data" / "published.duckdb") as client:
        watched = Watched(browser.new_page())
        for address, name in (("", "overview"), (FORECAST, "forecast")):
            show(watched.page, client.url + address)
            path = SCREENSHOTS / f"demo-{name}.png"
            watched.page.screenshot(path=path, full_page=True)
            assert_all_panels_show_figures(watched.page)
        expect(watched.page.locator("blockquote").first).to_contain_text("PLANTED")
        watched.page.close()
    assert watched.troubles == []


def test_the_notice_and_what_the_page_is_not_come_first(page: Page) -> None:
    first = page.locator(".panel").first
    expect(first.locator("blockquote")).to_have_text(NOTICE)
    expect(first).to_contain_text("at least 5 people")
    expect(first).to_contain_text("not for watching employees")


def test_the_age_of_the_figures_is_told_every_second(page: Page) -> None:
    status = page.locator(".status")
    expect(status).to_contain_text("Published")
    before = status.inner_text()
    expect(status).not_to_have_text(before, timeout=70_000)


def test_another_scope_shows_other_figures(page: Page) -> None:
    before = figure(page, "Messages")
    page.get_by_label("Scope").select_option("ubuntu/#ubuntu")
    expect(panel(page, "Messages").locator(".figure")).not_to_have_text(before)
    assert "var-scope=ubuntu%2F%23ubuntu" in page.url
    assert_all_panels_show_figures(page)
    page.go_back()
    expect(panel(page, "Messages").locator(".figure")).to_have_text(before)
    expect(page.get_by_label("Scope")).to_have_value("all")


def test_another_time_shows_other_figures(page: Page) -> None:
    before = figure(page, "Messages")
    page.get_by_label("Time (UTC)").select_option("now-30d")
    expect(panel(page, "Messages").locator(".figure")).not_to_have_text(before)
    assert_all_panels_show_figures(page)
    page.reload()
    settled(page)
    expect(page.get_by_label("Time (UTC)")).to_have_value("now-30d")


def test_two_days_can_be_chosen_and_impossible_ones_are_refused(page: Page) -> None:
    first = (NOW - timedelta(days=20)).date().isoformat()
    last = (NOW - timedelta(days=10)).date().isoformat()
    page.get_by_label("Time (UTC)").select_option("custom")
    page.get_by_label("From", exact=True).fill(last)
    page.get_by_label("To, whole day").fill(first)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("must come before")
    page.get_by_label("From", exact=True).fill(first)
    page.get_by_label("To, whole day").fill(last)
    page.get_by_role("button", name="Show", exact=True).click()
    chosen = page.get_by_label("Time (UTC)").locator("option:checked")
    expect(chosen).to_contain_text(first)
    settled(page)
    expect(panel(page, "Emotions")).to_have_attribute("data-state", "ready")


def test_a_time_is_chosen_by_dragging_over_a_chart(page: Page) -> None:
    box = panel(page, "Emotions").locator("canvas").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, middle, steps=4)
    page.mouse.up()
    expect(page.get_by_label("Time (UTC)").locator("option:checked")).to_contain_text(
        " to "
    )
    settled(page)
    expect(panel(page, "Emotions")).to_have_attribute("data-state", "ready")


def test_the_tabs_switch_and_the_way_back_works(page: Page) -> None:
    page.get_by_role("link", name="Forecast").click()
    expect(panel(page, "Skill")).to_be_visible()
    assert_all_panels_show_figures(page)
    expect(page.get_by_role("link", name="Forecast")).to_have_attribute(
        "aria-current", "page"
    )
    page.go_back()
    expect(panel(page, "Emotions")).to_be_visible()
    assert_all_panels_show_figures(page)


def test_a_past_forecast_and_another_series_can_be_chosen(
    watched: Watched, client: Client
) -> None:
    page = watched.page
    show(page, client.url + FORECAST)
    assert figure(page, "Alarm") == "None"
    origin = (NOW - timedelta(days=16)).date().isoformat()
    page.get_by_label("Forecast from").select_option(origin)
    expect(panel(page, "Alarm").locator(".figure")).to_have_text("Alarm")
    assert_all_panels_show_figures(page)
    assert figure(page, "Skill") == "Beats naive"
    page.get_by_label("Series").select_option("basic-emotion/anger")
    expect(panel(page, "Skill").locator(".figure")).to_have_text("No skill")
    assert_all_panels_show_figures(page)


def test_what_was_asked_for_and_is_not_there_is_said_to_be_missing(
    watched: Watched, client: Client
) -> None:
    page = watched.page
    show(page, f"{client.url}{FORECAST}&var-series=fine-emotion/nothing")
    missing = page.locator(".replaced")
    expect(missing).to_have_text(
        "Series: there is no “fine-emotion/nothing” here. "
        "Shown is “frustration (fine-emotion)” instead."
    )
    page.get_by_role("button", name="Refresh", exact=True).click()
    settled(page)
    expect(missing).to_have_count(1)
    page.get_by_label("Series").select_option("basic-emotion/anger")
    expect(missing).to_have_count(0)


def test_the_track_record_shows_every_method_without_scrolling(
    watched: Watched, client: Client
) -> None:
    show(watched.page, client.url + FORECAST)
    record = panel(
        watched.page, "Track record of every model, beside the naive methods"
    )
    expect(record.locator("tbody tr")).to_have_count(len(MODELS) + 1)
    assert record.locator(".scroll").evaluate("e => e.scrollHeight <= e.clientHeight")


def test_a_table_without_rows_says_that_there_was_nothing(
    watched: Watched, client: Client
) -> None:
    show(watched.page, f"{client.url}{FORECAST}&from=now-5d&to=now")
    for title in (
        "Periods of high prevalence, and whether an alarm came first",
        "What rose with these periods",
    ):
        expect(panel(watched.page, title).get_by_role("status")).to_contain_text(
            "No period of high prevalence has its peak in this time"
        )


def test_a_chart_can_be_read_as_a_table_and_sorted(page: Page) -> None:
    emotions = panel(page, "Emotions")
    emotions.get_by_role("button", name="Show Emotions as a table").click()
    expect(emotions.get_by_role("columnheader").first).to_have_text("time")
    expect(emotions.locator("canvas")).to_have_count(0)
    emotions.get_by_role("button", name="frustration").click()
    column = emotions.locator("tbody td:nth-child(2)")
    shares = [float(text.rstrip(" %")) for text in column.all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    emotions.get_by_role("button", name="Show Emotions as a table").click()
    expect(emotions.locator("canvas")).to_be_visible()


def test_an_explanation_opens_and_closes_by_keyboard(page: Page) -> None:
    emotions = panel(page, "Emotions")
    button = emotions.get_by_role("button", name="What Emotions shows")
    button.focus()
    page.keyboard.press("Enter")
    expect(emotions.locator(".explanation")).to_contain_text("Share of messages")
    page.keyboard.press("Escape")
    expect(emotions.locator(".explanation")).to_be_hidden()


def test_one_series_can_be_looked_at_alone(page: Page) -> None:
    legend = panel(page, "Emotions").get_by_role("list", name="Legend")
    legend.get_by_role("button", name="anger").click()
    expect(legend.locator("[aria-pressed=true]")).to_have_text("anger")
    legend.get_by_role("button", name="joy").click(modifiers=["Control"])
    expect(legend.locator("[aria-pressed=true]")).to_have_count(2)
    legend.get_by_role("button", name="joy").click(modifiers=["Control"])
    legend.get_by_role("button", name="anger").click()
    expect(legend.locator("[aria-pressed=false]")).to_have_count(0)


def test_a_chart_tells_its_figures_where_the_pointer_is(page: Page) -> None:
    canvas = panel(page, "Emotions").locator("canvas")
    canvas.hover()
    tip = panel(page, "Emotions").locator(".tip")
    expect(tip).to_contain_text("frustration")
    expect(tip).to_contain_text("%")


def test_the_keyboard_reaches_the_figures_past_the_bar(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the figures")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_a_panel_that_fails_says_so_and_recovers(
    browser: Browser, client: Client
) -> None:
    page = browser.new_page()
    refusal = '{"error": "the published file cannot be read"}'
    page.route(
        "**/api/panels/*/8?*", lambda route: route.fulfill(status=503, body=refusal)
    )
    show(page, client.url)
    expect(panel(page, "Emotions")).to_have_attribute("data-state", "error")
    expect(panel(page, "Emotions").get_by_role("status")).to_have_text(
        "The published file cannot be read."
    )
    expect(panel(page, "What frustrates")).to_have_attribute("data-state", "ready")
    expect(page.locator(".status")).to_contain_text("1 panel failed")
    page.unroute_all()
    page.get_by_role("button", name="Refresh").click()
    expect(panel(page, "Emotions")).to_have_attribute("data-state", "ready")
    expect(page.locator(".status")).to_contain_text("Published")
    page.close()


def test_a_panel_without_figures_says_why(page: Page) -> None:
    page.goto(page.url.split("?")[0] + "?from=2020-01-01&to=2020-02-01")
    settled(page)
    emotions = panel(page, "Emotions")
    expect(emotions).to_have_attribute("data-state", "empty")
    expect(emotions.get_by_role("status")).to_contain_text("No published figures")
    expect(panel(page, "Age of the data")).to_have_attribute("data-state", "ready")


def test_the_page_waits_for_the_first_publication_and_follows_the_next(
    browser: Browser, tmp_path: Path
) -> None:
    path, fresh = tmp_path / "published.duckdb", tmp_path / "new.duckdb"
    page = browser.new_page()
    with serving(path) as client:
        page.goto(client.url)
        expect(
            page.get_by_role("heading", name="Nothing published yet")
        ).to_be_visible()
        expect(page.get_by_role("main")).to_contain_text("waiting since")
        write(fresh, NOW, "The first.")
        fresh.replace(path)
        expect(page.locator("blockquote")).to_have_text("The first.", timeout=10_000)
        assert_all_panels_show_figures(page)
        write(fresh, NOW, "The second.")
        fresh.replace(path)
        page.get_by_label("Refresh every").select_option("10s")
        expect(page.locator("blockquote")).to_have_text("The second.", timeout=20_000)
        assert_all_panels_show_figures(page)
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator(".status")).to_contain_text("does not answer")
    expect(panel(page, "Emotions")).to_be_visible()
    page.close()
