"""The page as text: complete, self-contained, escaped."""

import base64
import json
import re
import zlib

import geopandas
import numpy as np
import pytest
import rasterio
from attributed import TRAINED_ON
from explorable import AREA, SCENES, Explorable
from rasterio.transform import Affine
from result_folder import write_change

from wildlens.errors import WildLensError
from wildlens.explore.page import json_in_html
from wildlens.explore.scenes import _ordinal
from wildlens.explore.step import build_page
from wildlens.settings import Evaluation


@pytest.fixture
def results(tmp_path):
    return Explorable(tmp_path)


def built(results, **changed) -> str:
    build_page(**results.arguments | {"settings": Evaluation()} | changed)
    return results.output.read_text(encoding="utf-8")


def data(text: str, name: str):
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text)
    return json.loads(found[1])


def test_layers_of_every_scene_in_order(results):
    text = built(results)
    for number, name in enumerate(SCENES):
        scene = data(text, f"scene-{number}")
        assert scene["name"] == name and scene["shape"] == [120, 150]
        ids = [layer["id"] for layer in scene["layers"]]
        assert ids == ["reflectance", "maximized", "landcover", "gan", "occlusion", "score"]
        assert [layer["unit"] for layer in scene["layers"]] == [
            "reflectance", "reflectance", "", "reflectance", "logit", "",
        ]  # fmt: skip
        assert [area["cells"][0] for area in scene["areas"]] == [AREA, "Lake"]
    assert f"{TRAINED_ON}." in text and 'id="scene-2"' not in text


def test_two_dates_are_an_entry_of_their_own(results):
    """Both images on the pixels that they have in common, and the changes there."""
    before, later = results.scenes
    shift = 30  # px that the later scene lies further east
    with rasterio.open(later, "r+") as dataset:
        dataset.transform *= Affine.translation(shift, 0)
    change = results.values[SCENES[0]]["score"][:, shift:] - 0.5
    names = before.stem, later.stem
    path = write_change(results.output.parent, "score", *names, change, 500_000 + 10 * shift)
    maps = [path for path in results.maps if path.parent.name == names[0]]
    text = built(results, maps=maps, landcovers=results.landcovers[:1], changes=[path])
    scene = data(text, "scene-1")
    assert scene["name"] == f"Change from {names[0]} to {names[1]}"
    assert scene["shape"] == [120, 120] and scene["left"] == 500_000 + 10 * shift
    images, score = scene["layers"][:2], scene["layers"][2]
    assert [layer["title"] for layer in images] == [f"X before: {names[0]}", f"X after: {names[1]}"]
    assert len({layer["legend"] for layer in images}) == 1  # one stretch, to be compared
    for layer, columns, name in zip(images, (np.s_[shift:], np.s_[:-shift]), SCENES, strict=True):
        stored = results.stored[name][2, :, columns]  # red is shown first
        check_codes(layer, np.where(stored > 0, stored * 1e-4, np.nan))
    assert score["title"] == "Change of Score" and score["kind"] == "change"
    check_codes(score, change)


def check_codes(layer, values) -> None:
    """The first channel of a layer holds these values within half a step, but for the tails."""
    codes = np.frombuffer(zlib.decompress(base64.b64decode(layer["channels"][0]["data"])), np.uint8)
    codes = codes.reshape(values.shape)
    assert np.array_equal(codes == 0, np.isnan(values))
    inner = (codes > 1) & (codes < 255)
    found = layer["offset"] + layer["scale"] * codes[inner]
    assert np.abs(found - values[inner]).max() <= layer["scale"] * 0.51


def test_a_change_of_unknown_scenes_is_an_error(results):
    values = results.values[SCENES[0]]["score"]
    path = write_change(results.output.parent, "score", "lake", "fjord", values)
    with pytest.raises(WildLensError, match="compares fjord, which is not among the scenes"):
        built(results, changes=[path])


def test_columns_of_areas_have_headings_and_units(results):
    columns = dict(data(built(results), "page")["columns"])
    assert columns["area_km2"] == "area, km²"
    assert columns["gan_mean"] == "GAN |X+ − X−|, mean reflectance"


def test_nothing_is_loaded_from_elsewhere(results):
    text = built(results)
    markup = re.sub(r"<script\b.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"https?:|//\w", markup)
    assert not re.search(r"<(script|link|img|iframe|object)\b[^>]*\b(src|href)\s*=", text)
    assert "default-src 'none'" in text and "connect-src" not in text
    assert "@import" not in markup and "url(" not in markup


def test_hostile_names_are_escaped(results):
    text = built(results)
    for hostile in (SCENES[1], AREA, "<img", "<script>hacked"):
        assert hostile not in text
    assert "&lt;img src=x onerror=hacked=1&gt;" in text
    scripts = re.findall(r"<script\b", text)
    assert len(scripts) == text.count("</script>") == 6


def test_json_cannot_end_its_script():
    value = {"a": "</script><!--&\u2028", "b": [1, None, "é"]}
    text = json_in_html(value)
    assert not set("<>&") & set(text) and text.isascii() and json.loads(text) == value


def test_terms_of_the_wdpa_are_stated_for_protected_areas_only(results):
    areas = results.arguments["areas"]
    protected = geopandas.read_file(areas)
    assert "forbid passing" in built(results) and "<h2>Protected areas</h2>" in built(results)
    protected.assign(category=None).to_file(areas)
    assert "forbid passing" not in built(results) and "<h2>Areas</h2>" in built(results)


def test_without_land_cover_and_areas(results):
    text = built(results, landcovers=[], areas=None)
    scene = data(text, "scene-0")
    assert "landcover" not in [layer["id"] for layer in scene["layers"]]
    assert scene["areas"] == [] and data(text, "page")["columns"] == []


def test_without_maps_the_page_says_so(results):
    text = built(results, maps=[], areas=None)
    assert "No scene was mapped" in text and "<script" not in text.replace("<noscript", "")


def test_a_large_scene_states_how_it_was_thinned(results, monkeypatch):
    monkeypatch.setattr("wildlens.explore.step.MOST_PIXELS", 40)
    text = data(built(results), "scene-0")["text"]
    assert "150 × 120 pixels; the page shows every 4th one" in text and "of 40 m" in text
    assert "several scenes" not in text
    monkeypatch.setattr("wildlens.explore.step.MOST_BYTES", 5000)
    assert "several scenes share the file" in data(built(results), "scene-0")["text"]


@pytest.mark.parametrize(
    ("number", "text"), [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"),
                         (21, "21st"), (111, "111th")]
)  # fmt: skip
def test_ordinals(number, text):
    assert _ordinal(number) == text


def test_a_map_of_an_unknown_scene_is_an_error(results):
    with pytest.raises(WildLensError, match="not among the scenes"):
        built(results, scenes=results.scenes[:1])
    assert not results.output.exists()


def test_another_grid_is_an_error(results, tmp_path):
    other = Explorable(tmp_path / "other", (90, 150))
    with pytest.raises(WildLensError, match="another grid"):
        built(results, landcovers=other.landcovers)
    with pytest.raises(WildLensError, match="another grid"):
        built(results, scenes=other.scenes)


def test_areas_that_are_no_polygons_are_an_error(results):
    results.areas.write_text("nothing")
    with pytest.raises(WildLensError, match=r"areas\.gpkg"):
        built(results)
