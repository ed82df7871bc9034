"""The page in a real Chromium: values under the pointer, linked zoom, slider, scenes, areas."""

import re

import numpy as np
import pytest
from chromium import PROGRAM, Browser
from explorable import AREA, SCENES, Explorable, write_map
from result_folder import write_change, write_members

from wildlens.evaluate.target_groups import in_group
from wildlens.evaluate.thresholds import iou, top_threshold
from wildlens.explore.quantised import quantise
from wildlens.explore.step import build_page
from wildlens.files.raster import read_grid
from wildlens.files.reflectance import to_reflectance
from wildlens.legend import CORINE
from wildlens.settings import Evaluation

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs chromium")

READY = "!document.body.classList.contains('busy') && document.getElementById('map-position')"
# window coordinates of a point of the map in a panel, and what the panel shows
PANEL = """
(() => {
  const plot = Bokeh.documents[0].get_model_by_name("panel-NUMBER");
  const view = Bokeh.index.find_one(plot), frame = view.frame;
  const box = view.canvas_view.el.getBoundingClientRect();
  return {
    x: box.x + frame.x_scale.compute(X), y: box.y + frame.y_scale.compute(Y),
    range: [frame.x_range.start, frame.x_range.end, frame.y_range.start, frame.y_range.end],
  };
})()
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    found = Explorable(tmp_path_factory.mktemp("explore"))
    build_page(**found.arguments, settings=Evaluation())
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("chromium") / "profile") as found:
        yield found


@pytest.fixture
def opened(browser, results):
    """The page, opened anew."""
    browser.events.clear()
    browser.open(results.output, f"{READY} && document.getElementById('iou').textContent")
    yield browser
    assert browser.problems() == []


def text(browser, name: str) -> str:
    return browser.run(f"document.getElementById('{name}').textContent")


def panel(browser, number: int, x: float = 0, y: float = 0) -> dict:
    script = PANEL.replace("NUMBER", str(number)).replace("X)", f"{x})").replace("Y)", f"{y})")
    return browser.run(script)


def ground(results, scene: str, row: int, column: int) -> tuple[float, float]:
    """Map coordinates of the middle of a pixel."""
    path = next(path for path in results.scenes if path.stem == scene)
    return read_grid(path).pix2wld(column + 0.5, row + 0.5)


def point_at(browser, results, scene: str, row: int, column: int, number: int = 0) -> dict:
    """Move the pointer to a pixel; what the page then says, by title of the layer."""
    x, y = ground(results, scene, row, column)
    place = panel(browser, number, x, y)
    browser.mouse("mouseMoved", place["x"] - 3, place["y"])
    browser.mouse("mouseMoved", place["x"], place["y"])
    wanted = f"{x:.0f}, {y:.0f}"
    browser.wait(
        "Math.hypot(...document.getElementById('map-position').textContent.split(', ')"
        f".map((v, i) => v - [{x}, {y}][i])) < 6 /* {wanted} */"
    )
    rows = browser.run(
        "[...document.querySelectorAll('#values tr')].map((row) =>"
        " [row.cells[0].textContent, row.cells[1].textContent])"
    )
    return dict(rows)


def set_value(browser, name: str, value, event: str) -> None:
    browser.run(
        f"(() => {{ const e = document.getElementById('{name}'); e.value = '{value}';"
        f" e.dispatchEvent(new Event('{event}')); }})()"
    )


def numbers(value: str) -> list[float]:
    value = re.sub(r"B\d\w", "", value.replace("−", "-"))
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", value)]


def check_values(found: dict, results, scene: str, row: int, column: int) -> None:
    for title, method, unit in (
        ("GAN |X+ − X−|", "gan", "reflectance"), ("Occlusion", "occlusion", "logit"),
        ("Score", "score", ""),
    ):  # fmt: skip
        values = results.values[scene][method]
        (shown,) = numbers(found[title])
        # half a step of the codes, and half a unit of the last digit, which is at most a step
        assert shown == pytest.approx(values[row, column], abs=1.01 * quantise(values).scale)
        assert found[title].endswith(unit) or found[title].startswith(("≤", "≥"))
    stored = results.stored[scene][[2, 1, 0], row, column]
    assert found["X (true colour)"].startswith("B04 ")
    assert numbers(found["X (true colour)"]) == pytest.approx(to_reflectance(stored), abs=0.002)
    index = results.classes[scene][row, column]
    name = CORINE.of_index(int(index)).name if index else "unknown"
    assert found["CORINE land cover"].endswith(name)


@pytest.mark.parametrize(("row", "column", "number"), [(60, 75, 0), (119, 149, 1), (25, 3, 2)])
def test_values_under_the_pointer(opened, results, row, column, number):
    found = point_at(opened, results, SCENES[0], row, column, number)
    check_values(found, results, SCENES[0], row, column)
    place = re.fullmatch(r"([\d.]+)° N, ([\d.]+)° E", text(opened, "degrees"))
    lat, lon = map(float, place.groups())
    grid = read_grid(results.scenes[0])[row : row + 1, column : column + 1]
    box = grid.geographic_extent.boundingbox
    assert box.left - 1e-4 < lon < box.right + 1e-4 and box.bottom - 1e-4 < lat < box.top + 1e-4


def test_values_of_members_are_told_with_their_spread(browser, tmp_path):
    results = Explorable(tmp_path)
    values, stored = results.values[SCENES[0]]["gan"], results.stored[SCENES[0]]
    share = np.where(stored[0] > 0, np.arange(150) % 3 / 2, np.nan)
    write_members(tmp_path / f"results/maps/{SCENES[0]}/gan.tif", "gan", values, share)
    build_page(**results.arguments, settings=Evaluation())
    browser.events.clear()
    browser.open(results.output, f"{READY} && document.getElementById('iou').textContent")
    found = point_at(browser, results, SCENES[0], 60, 75)["GAN |X+ − X−|"]
    mean, spread, high = found.split("; ")
    assert mean.endswith(" reflectance") and spread.startswith("sd of members ")
    assert numbers(spread) == pytest.approx([values[60, 75] / 10], rel=0.05)
    assert high.startswith("share of members that call it high ")
    assert numbers(high) == pytest.approx([75 % 3 / 2], abs=0.01)
    assert point_at(browser, results, SCENES[0], 5, 5)["GAN |X+ − X−|"] == "no data"
    assert browser.problems() == []


def test_missing_pixels_say_so(opened, results):
    found = point_at(opened, results, SCENES[0], 5, 5)
    assert found["GAN |X+ − X−|"] == found["X (true colour)"] == "no data"


def test_zoom_and_pan_move_all_panels(opened, results):
    x, y = ground(results, SCENES[0], 60, 75)
    before = panel(opened, 0, x, y)
    opened.mouse("mouseMoved", before["x"], before["y"])
    opened.mouse("mouseWheel", before["x"], before["y"], deltaX=0, deltaY=-300)
    width = before["range"][1] - before["range"][0]
    shown = "Bokeh.documents[0].get_model_by_name('x')"
    opened.wait(f"{shown}.end - {shown}.start < {0.9 * width}")
    zoomed = [panel(opened, number, x, y) for number in range(3)]
    assert zoomed[0]["range"] == zoomed[1]["range"] == zoomed[2]["range"]
    start = zoomed[1]
    opened.mouse("mousePressed", start["x"], start["y"], button="left", buttons=1, clickCount=1)
    for step in range(1, 6):
        opened.mouse("mouseMoved", start["x"] + 8 * step, start["y"], button="left", buttons=1)
    opened.mouse("mouseReleased", start["x"] + 40, start["y"], button="left", clickCount=1)
    opened.wait(f"Math.abs({shown}.start - {start['range'][0]}) > 20")
    moved = [panel(opened, number)["range"] for number in range(3)]
    assert moved[0] == moved[1] == moved[2] != start["range"]
    assert moved[0][1] - moved[0][0] == pytest.approx(start["range"][1] - start["range"][0])
    # a pixel is as wide as it is high
    sizes = opened.run(
        "(({frame_width: w, frame_height: h}) => [w, h])"
        "(Bokeh.documents[0].get_model_by_name('panel-0'))"
    )
    across, down = moved[0][1] - moved[0][0], moved[0][3] - moved[0][2]
    assert across / sizes[0] == pytest.approx(down / sizes[1])
    opened.run("document.getElementById('all-of-it').click()")
    assert panel(opened, 1)["range"] == pytest.approx(before["range"])


def expected(results, scene: str, method: str, share: float) -> tuple[float, float]:
    """Share that is marked, and its IoU, by the functions of the evaluation."""
    codes = quantise(results.values[scene][method]).codes.astype(np.float32)
    valid, classes = codes > 0, results.classes[scene]
    marked = valid & (codes >= top_threshold(codes[valid], share))
    known, target = valid & (classes > 0), in_group(classes, Evaluation().targets)
    return marked.sum() / valid.sum(), iou(marked & known, target & known)


@pytest.mark.parametrize("method", ["gan", "occlusion", "score"])
def test_iou_of_the_slider_is_that_of_numpy(opened, results, method):
    set_value(opened, "method", method, "change")
    for percent in (0.5, 7, 33.5, 60, 99):
        set_value(opened, "share", percent, "input")
        share, wanted = expected(results, SCENES[0], method, percent / 100)
        assert text(opened, "iou") == f"{wanted:.3f}"
        assert text(opened, "marked").startswith(f"{100 * share:.1f} % of the valid pixels")


def test_equal_values_are_marked_together(browser, results, tmp_path):
    levels = np.arange(120 * 150, dtype=np.float32).reshape(120, 150) // 4500  # four, equally often
    path = write_map(tmp_path / SCENES[0] / "gan.tif", SCENES[0], "gan", levels)
    output = tmp_path / "levels.html"
    arguments = {**results.arguments, "maps": [path], "areas": None, "output": output}
    build_page(**arguments, settings=Evaluation())
    browser.open(output, f"{READY} && document.getElementById('iou').textContent")
    for percent, marked in ((24.5, "No pixel"), (25, "25.0 %"), (74.5, "50.0 %"), (100, "100.0 %")):
        set_value(browser, "share", percent, "input")
        assert text(browser, "marked").startswith(marked)


def test_iou_of_codes_is_close_to_that_of_the_full_map(opened, results):
    values, classes = results.values[SCENES[0]]["gan"], results.classes[SCENES[0]]
    valid = np.isfinite(values)
    set_value(opened, "share", 30, "input")
    marked = valid & (values >= top_threshold(values[valid], 0.3))
    known, target = valid & (classes > 0), in_group(classes, Evaluation().targets)
    wanted = iou(marked & known, target & known)
    assert float(text(opened, "iou")) == pytest.approx(wanted, abs=0.01)
    every = (target & known).sum() / known.sum()
    assert text(opened, "all") == f"{every:.3f}"


def shown_picture(browser, source: str) -> np.ndarray:
    """RGBA of an image that is shown, (y, x, 4) uint8."""
    values = browser.run(
        f"Array.from(Bokeh.documents[0].get_model_by_name('{source}').data.image[0])"
    )
    return np.array(values, "<u4").view(np.uint8).reshape(120, 150, 4)


def test_marked_pixels_are_drawn(opened, results):
    set_value(opened, "share", 20, "input")
    opened.run(
        "(() => { const s = document.querySelectorAll('#panels select')[1];"
        " s.value = 'comparison'; s.dispatchEvent(new Event('change')); })()"
    )
    codes = quantise(results.values[SCENES[0]]["gan"]).codes.astype(np.float32)
    valid, classes = codes > 0, results.classes[SCENES[0]]
    marked = valid & (codes >= top_threshold(codes[valid], 0.2))
    target = in_group(classes, Evaluation().targets)
    picture = shown_picture(opened, "image-1")
    assert np.array_equal((picture[..., :3] == (0, 158, 115)).all(axis=-1), marked & target)
    assert np.array_equal(picture[..., 3] > 0, valid)
    drawn = shown_picture(opened, "marks")[..., 3] > 0
    inner = np.pad(marked, 1, mode="edge")
    inside = inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
    assert np.array_equal(drawn, marked & ~inside)


def test_another_scene_brings_its_own_values(opened, results):
    set_value(opened, "scene", 1, "change")
    opened.wait("!document.body.classList.contains('busy')")
    found = point_at(opened, results, SCENES[1], 60, 75)
    check_values(found, results, SCENES[1], 60, 75)


def test_areas_are_listed_and_found_under_the_pointer(opened, results):
    point_at(opened, results, SCENES[0], 60, 75)
    assert text(opened, "here") == AREA
    point_at(opened, results, SCENES[0], 119, 149)
    assert text(opened, "here") == "Lake"
    rows = opened.run(
        "[...document.querySelectorAll('#area-rows tr')].map((row) =>"
        " [...row.cells].map((cell) => cell.textContent))"
    )
    assert rows == [[AREA, "Ia", "12.3", "0.93", "0.0123"], ["Lake", "II", "4", "–", "2"]]
    before = panel(opened, 0)["range"]
    opened.run("document.querySelector('#area-rows button').click()")
    assert panel(opened, 1)["range"] != before


def test_hostile_names_do_nothing_and_nothing_is_loaded(opened, results):
    set_value(opened, "scene", 1, "change")
    opened.wait("!document.body.classList.contains('busy')")
    point_at(opened, results, SCENES[1], 60, 75)
    assert opened.run("typeof hacked") == "undefined"
    assert opened.run("document.querySelectorAll('img, b > b, td b').length") == 0
    asked = [address for address in opened.requests() if not address.startswith("data:")]
    assert set(asked) == {results.output.resolve().as_uri()}
    entries = "performance.getEntriesByType('resource').map((entry) => entry.name)"
    assert all(name.startswith("data:") for name in opened.run(entries))


def test_panels_can_be_chosen(opened):
    for count in (1, 2, 3, 4):
        set_value(opened, "count", count, "change")
        visible = "[...document.querySelectorAll('.cell')].filter((cell) => !cell.hidden).length"
        assert opened.run(visible) == count


def test_without_land_cover_and_areas(browser, results):
    output = results.output.with_name("plain.html")
    arguments = {**results.arguments, "landcovers": [], "areas": None, "output": output}
    build_page(**arguments, settings=Evaluation())
    browser.events.clear()
    browser.open(output, f"{READY} && document.getElementById('marked').textContent")
    assert text(browser, "marked").startswith("9.9 % of the valid pixels")
    for name in ("agreement", "row-target", "row-areas", "areas", "row-here"):
        assert browser.run(f"document.getElementById('{name}').hidden"), name
    assert browser.problems() == []


def test_two_dates_have_values_and_no_marked_pixels(browser, results):
    change = results.values[SCENES[1]]["score"] - results.values[SCENES[0]]["score"]
    path = write_change(results.output.parent, "score", *SCENES, change)
    output = results.output.with_name("dates.html")
    arguments = {**results.arguments, "changes": [path], "output": output}
    build_page(**arguments, settings=Evaluation())
    browser.events.clear()
    browser.open(output, f"{READY} && document.getElementById('marked').textContent")
    set_value(browser, "scene", 2, "change")
    browser.wait("!document.body.classList.contains('busy')")
    found = point_at(browser, results, SCENES[0], 60, 75)
    (shown,) = numbers(found["Change of Score"])
    assert shown == pytest.approx(change[60, 75], abs=1.01 * quantise(change).scale)
    for name in ("marking", "row-marked", "row-target", "about-iou"):
        assert browser.run(f"document.getElementById('{name}').hidden"), name
    assert browser.problems() == []
