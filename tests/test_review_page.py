"""A sitting before the page, by keyboard, in Chromium."""

import shutil
from contextlib import contextmanager
from threading import Thread

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
uvicorn = pytest.importorskip("uvicorn", reason="needs the extra review")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

from review_builders import TOKEN, broken, desk, still  # noqa: E402

from semiqc.review.server import make_app  # noqa: E402
from semiqc.review.serving import _listen  # noqa: E402

WAIT_MS = 30_000


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@contextmanager
def sitting(browser, review, reader="ann"):
    """The page before a reader, as long as its server runs; errors of its scripts are raised."""
    failed = []
    with served(review) as address:
        page = browser.new_page(viewport={"width": 640, "height": 480})
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: failed.append(error))
        page.goto(f"{address}?reader={reader}")
        try:
            yield page
        finally:
            page.close()
    assert failed == []


@contextmanager
def served(review):
    socket = _listen("127.0.0.1", 0)
    port = socket.getsockname()[1]
    app = make_app(review, TOKEN, [f"127.0.0.1:{port}"], reader="reader")
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
    thread = Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/{TOKEN}/"
    finally:
        server.should_exit = True
        thread.join()


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def shows(page, place, text):
    playwright.expect(page.locator(place)).to_contain_text(text, timeout=WAIT_MS)


def is_seen(page, number, count):
    shows(page, "#where", f"Study {number} of {count}")
    shows(page, "main[aria-busy=false]", "slice")


def verdicts(review, reader):
    said = review.records.readings(reader)
    return {one.place.study: (one.verdict, one.reasons, one.note) for one in said}


def test_a_sitting_by_keyboard_goes_on_after_a_restart(browser, tmp_path):
    with sitting(browser, desk(tmp_path, "a", items=[broken("torn")])) as page:
        is_seen(page, 1, 2)
        press(page, "d", "n")
        page.keyboard.type("apex")
        press(page, "Enter", "e")
        shows(page, "#broken", "torn.nii.gz: cut short. Press l to go on.")

    again = desk(tmp_path, "a", "b", "c", items=[broken("torn")])
    with sitting(browser, again) as page:
        shows(page, "#broken", "torn.nii.gz: cut short")
        press(page, "l")
        is_seen(page, 2, 4)
        press(page, "g")
        is_seen(page, 3, 4)
        press(page, "e")
        shows(page, "#broken", "Done: 3 of 4 judged. 1 could not be shown.")
        press(page, "u")
        is_seen(page, 3, 4)
        press(page, "g")
        shows(page, "#broken", "Done: 3 of 4 judged.")

    assert verdicts(again, "ann") == {
        "a": ("erroneous", ("leaks out",), "apex"),
        "b": ("good", (), ""),
        "c": ("good", (), ""),
    }


def test_a_second_reader_judges_the_same_studies(browser, tmp_path):
    review = desk(tmp_path, "a", "b")
    for reader, key in (("ann", "g"), ("bob", "e")):
        with sitting(browser, review, reader) as page:
            is_seen(page, 1, 2)
            press(page, key)
            is_seen(page, 2, 2)

    assert verdicts(review, "ann")["a"][0] == "good"
    assert verdicts(review, "bob")["a"][0] == "erroneous"


def test_the_next_film_is_there_before_the_verdict(browser, tmp_path):
    with sitting(browser, desk(tmp_path, "a", "b")) as page:
        with page.expect_request_finished(lambda one: "study/1/film" in one.url):
            pass
        asked = []
        page.on("request", lambda one: asked.append(one.url.rpartition("/")[2]))
        press(page, "g")
        is_seen(page, 2, 2)

        assert asked[0] == "verdict"
        assert "0" not in asked, "a film was asked for after the verdict"


COUNTED = """() => {
  window.strokes = { ahead: 0, seen: 0 };
  const kinds = { ahead: OffscreenCanvasRenderingContext2D, seen: CanvasRenderingContext2D };
  for (const [name, { prototype }] of Object.entries(kinds)) {
    const { stroke } = prototype;
    prototype.stroke = function (...given) {
      window.strokes[name] += 1;
      stroke.apply(this, given);
    };
  }
}"""
DRAWN_AHEAD = """() => new Promise(resolve => {
  const look = () => window.strokes.ahead ? resolve() : setTimeout(look, 5);
  look();
})"""
PICTURES = """() => ["film", "lines", "tiles", "tilelines"].map(id => {
  const { width, height } = document.getElementById(id);
  return document.getElementById(id).getContext("2d").getImageData(0, 0, width, height).data;
})"""
KEEP = f"() => {{ window.pictures = ({PICTURES})(); }}"
LARGEST_CHANGE = f"""() => Math.max(...({PICTURES})().map((now, rank) =>
  now.reduce((most, one, at) => Math.max(most, Math.abs(one - window.pictures[rank][at])), 0)))"""
ROUNDED = 8  # of 255: where lines meet the edge of a tile


def test_the_next_study_is_drawn_before_the_verdict(browser, tmp_path):
    with sitting(browser, desk(tmp_path, items=[still("a"), still("b")])) as page:
        page.set_viewport_size({"width": 1280, "height": 800})
        page.add_init_script(f"({COUNTED})()")
        page.reload()
        page.evaluate(DRAWN_AHEAD)
        before = page.evaluate("window.strokes.seen")
        press(page, "g")
        is_seen(page, 2, 2)
        page.evaluate(KEEP)

        assert page.evaluate("window.strokes.seen") == before > 0
        press(page, "c")
        assert page.evaluate(LARGEST_CHANGE) > ROUNDED
        press(page, "c")
        assert page.evaluate("window.strokes.seen") > before
        assert page.evaluate(LARGEST_CHANGE) <= ROUNDED


def test_nothing_of_the_study_before_is_left_where_one_cannot_be_shown(browser, tmp_path):
    with sitting(browser, desk(tmp_path, "a", items=[broken("torn")])) as page:
        is_seen(page, 1, 2)
        shows(page, "#revealed", "a")
        press(page, "g")
        shows(page, "#broken", "torn.nii.gz: cut short")

        for place in ("#revealed", "#curves"):
            playwright.expect(page.locator(place)).to_be_empty()


OFFLINE = """() => {
  window.online = window.fetch;
  window.fetch = async () => { throw new TypeError("offline"); };
}"""
SLOW = """() => {
  const fetch = window.fetch;
  window.fetch = async (path, ...more) => {
    if (!path.includes("grades")) return fetch(path, ...more);
    await new Promise((done) => { window.failed = done; });
    throw new TypeError("offline");
  };
}"""


FAIL = """async () => {
  window.failed();
  await new Promise((done) => setTimeout(done, 50));
}"""


def test_what_was_not_asked_for_hides_no_verdict_that_was_not_saved(browser, tmp_path):
    with sitting(browser, desk(tmp_path, "a", "b")) as page:
        is_seen(page, 1, 2)
        page.evaluate(SLOW)
        press(page, "g")
        is_seen(page, 2, 2)
        page.evaluate(OFFLINE)
        press(page, "g")
        shows(page, "#said", "Not saved")
        page.evaluate(FAIL)
        shows(page, "#said", "Not saved")


def test_a_verdict_that_cannot_be_saved_is_told_and_the_study_stays(browser, tmp_path):
    review = desk(tmp_path, "a", "b")
    with sitting(browser, review) as page:
        is_seen(page, 1, 2)
        # Requests of the page itself fail: routes of the browser now and then miss the first.
        page.evaluate(OFFLINE)
        press(page, "g")
        shows(page, "#said", "Not saved")
        is_seen(page, 1, 2)
        page.evaluate("() => { window.fetch = window.online; }")
        press(page, "g")
        is_seen(page, 2, 2)

    assert verdicts(review, "ann")["a"][0] == "good"
