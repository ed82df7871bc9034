"""The QGIS project: layers, relative paths, and rendering by a real QGIS."""

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import crossing
import geopandas
import numpy as np
import pytest
import rasterio
import result_folder
from defusedxml import ElementTree
from result_folder import SIDE, TRAINED_ON, UNLIKE, write_change, write_members, write_stack

from wildlens.errors import WildLensError
from wildlens.qgis.step import build_project
from wildlens.settings import Tiles

SYSTEM_PYTHON = "/usr/bin/python3"  # Debian builds QGIS for this one
DRAW = Path(__file__).with_name("draw.py")


class Projects:
    """A project is made of the results."""

    def build(self, **changed) -> ElementTree:
        names = ("scenes", "landcovers", "maps", "footprints", "areas", "output")
        arguments = {name: getattr(self, name) for name in names} | {"settings": Tiles()}
        build_project(**(arguments | changed))
        with zipfile.ZipFile(arguments["output"]) as archive:
            assert archive.namelist() == ["wildlens.qgs"]
            text = archive.read("wildlens.qgs")
        return ElementTree.fromstring(text)


class Results(Projects, result_folder.Results):
    """Two scenes, and the project of them."""


class Crossing(Projects, result_folder.CrossingResults):
    """A scene across the antimeridian, and the project of it."""


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path)


def tree(group, depth=0):
    """Names in the layer panel from top to bottom."""
    for node in group:
        if node.tag in ("layer-tree-group", "layer-tree-layer"):
            yield "  " * depth + node.get("name")
            yield from tree(node, depth + 1)


def test_layer_tree_groups_scenes_with_mapped_ones_first(results):
    root = results.build()
    assert list(tree(root.find("layer-tree-group"))) == [
        "Tiles: label and split",
        "Protected areas: mean score",
        "lake",
        "  Attribution",
        "    GAN |X+ − X−|",
        "    Occlusion",
        "  Images",
        "    X+ (pattern-maximizer)",
        "    X (true colour)",
        "  Land cover (CORINE)",
        "field",
        "  Images",
        "    X (true colour)",
        "  Land cover (CORINE)",
    ]


@pytest.fixture
def changes(results):
    """Maps of the change from `field` to `lake`."""
    values = np.random.default_rng(3).normal(0, 0.05, (SIDE, SIDE))
    values[:20, :30] = np.nan
    return [write_change(results.folder, m, "field", "lake", values) for m in ("score", "gan")]


def test_change_between_dates_is_a_group_with_a_diverging_ramp_and_a_theme(results, changes):
    root = results.build(changes=changes)
    names = list(tree(root.find("layer-tree-group")))
    group = ["Change from field to lake", "  Score", "  GAN |X+ − X−|"]
    assert names[:5] == ["Tiles: label and split", "Protected areas: mean score", *group]
    layer = next(
        item for item in root.iterfind(".//maplayer") if "compare/" in item.findtext("datasource")
    )
    numbers = [float(item.get("value")) for item in layer.iter("item")]
    labels = [item.get("label") for item in layer.iter("item")]
    assert numbers[len(numbers) // 2] == 0 and numbers[0] == -numbers[-1]
    assert labels[0].endswith(" score or less, lower")
    assert labels[-1].endswith(" score or more, higher")
    assert TRAINED_ON in layer.findtext("resourceMetadata/abstract")
    themes = [theme.get("name") for theme in root.iter("visibility-preset")]
    assert themes[-1] == "Change between two dates"


def test_qgis_draws_the_change_between_dates(results, changes, tmp_path):
    results.build(changes=changes)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    seen = draw(results.output, pictures)
    theme = seen["themes"]["Change between two dates"]
    assert theme["layers"] == ["Protected areas: mean score", "Score"]
    assert theme["colours"] > 10 and not theme["errors"]
    drawn = [layer for layer in seen["layers"] if "compare" in layer["source"]]
    assert len(drawn) == 2 and not any(layer["shown"] for layer in drawn)


@pytest.fixture
def members(results):
    """Results in which the map of the GAN is that of two members: each third of it has a share."""
    values = np.random.default_rng(4).gamma(2, 0.01, (SIDE, SIDE))
    values[:, :6] = np.nan
    share = np.repeat([0, 0.5, 1], SIDE // 3)[:, None] + 0 * values
    path = write_members(results.folder / "maps/lake/gan.tif", "gan", values, share)
    assert path in results.maps
    return results


def test_members_add_a_view_with_the_agreement_as_opacity(members):
    root = members.build()
    names = list(tree(root.find("layer-tree-group")))
    view = "GAN |X+ − X−|, opaque where members agree"
    assert names[2:6] == ["lake", "  Agreement of members", f"    {view}", "  Attribution"]
    (layer,) = [m for m in root.iterfind(".//maplayer") if m.findtext("layername") == view]
    assert layer.findtext("datasource") == "./maps/lake/gan_agreement.vrt"
    assert layer.find("pipe/rasterrenderer").get("alphaBand") == "2"
    with rasterio.open(members.folder / "maps/lake/gan_agreement.vrt") as dataset:
        values, opacity = dataset.read()
    with rasterio.open(members.folder / "maps/lake/gan.tif") as dataset:
        assert np.array_equal(values, dataset.read(1), equal_nan=True)
        assert np.allclose(opacity, 255 * dataset.read(3), equal_nan=True)
    themes = [theme.get("name") for theme in root.iter("visibility-preset")]
    assert themes.index("Attribution where members agree") == themes.index("Attribution") + 1


def test_qgis_draws_members_opaque_where_they_agree(members, tmp_path):
    members.build()
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    seen = draw(members.output, pictures)
    by_source = {Path(layer["source"]).name: layer for layer in seen["layers"]}
    # a sixteenth of the columns is missing, and no member calls a third of the rows high
    assert by_source["gan.tif"]["transparent"] == pytest.approx(1 / 16, abs=0.02)
    view = by_source["gan_agreement.vrt"]
    assert view["transparent"] == pytest.approx(1 - 2 / 3 * 15 / 16, abs=0.02)
    assert view["opaque"] == pytest.approx(1 / 3 * 15 / 16, abs=0.02) and view["colours"] > 20
    theme = seen["themes"]["Attribution where members agree"]
    assert theme["layers"][:2] == [
        "Protected areas: mean score", "GAN |X+ − X−|, opaque where members agree",
    ]  # fmt: skip
    assert not theme["errors"] and len(seen["layouts"]["Comparison"]["themes"]) == 4


def test_map_that_is_no_change_is_refused(results):
    with pytest.raises(WildLensError, match="is no map of a change: it has no tag wildlens_before"):
        results.build(changes=results.maps[:1])


def test_sources_are_relative_and_exist(results):
    layers = results.build().findall("projectlayers/maplayer")
    sources = [layer.findtext("datasource") for layer in layers]
    assert len(sources) == 9 and all(source.startswith("./") for source in sources)
    for source in sources:
        assert (results.folder / source.partition("|")[0]).is_file()
    ids = [layer.findtext("id") for layer in layers]
    assert len(set(ids)) == 9 and min(map(len, ids)) > 10, "QGIS replaces shorter ids"


def test_project_states_what_the_models_were_trained_on(results):
    root = results.build()
    assert root.findtext("title") == f"WildLens: lake, field; models: {TRAINED_ON}"
    assert TRAINED_ON in root.findtext("projectMetadata/abstract")
    notes = {
        layer.findtext("layername"): layer.findtext("resourceMetadata/abstract")
        for layer in root.iterfind(".//maplayer")
    }
    for title in ("GAN |X+ − X−|", "Occlusion"):
        assert f"Models: {TRAINED_ON}. Warning: {UNLIKE}." in notes[title]
    assert "Models:" not in notes["X (true colour)"]
    labels = [item.get("labelText", "") for item in root.iter("LayoutItem")]
    notes = f"Models: {TRAINED_ON}.\nWarning: {UNLIKE}."
    assert sum(notes in text for text in labels) == 2


def test_signed_map_diverges_from_zero_with_unit_and_ends(results):
    root = results.build()
    occlusion, gan = (
        next(item for item in root.iterfind(".//maplayer") if name in item.findtext("datasource"))
        for name in ("occlusion.tif", "gan.tif")
    )
    values, labels = ([i.get(k) for i in occlusion.iter("item")] for k in ("value", "label"))
    numbers = [float(value) for value in values]
    assert numbers[len(numbers) // 2] == 0 and numbers[0] == -numbers[-1]
    assert labels[len(labels) // 2] == "0"
    assert labels[0].startswith("−0.0") and labels[0].endswith(" reflectance or less, low")
    assert labels[-1].endswith(" reflectance or more, high")
    assert occlusion.find(".//rampLegendSettings").get("useContinuousLegend") == "0"
    assert gan.find(".//item").get("label") == "0 reflectance, low"


def test_themes_without_land_cover_and_second_method(results):
    root = results.build(landcovers=[], maps=results.maps[1:2])
    names = [theme.get("name") for theme in root.iter("visibility-preset")]
    assert names == ["Image", "Attribution"]
    root = results.build(maps=[])
    names = [theme.get("name") for theme in root.iter("visibility-preset")]
    assert names == ["Image", "Comparison: land cover"]
    first = next(root.iter("Layout"))
    assert [item.get("followPresetName") for item in first if item.get("type") == "65639"] == [
        "Image"
    ]


@pytest.mark.parametrize(
    ("present", "title"),
    [(("gan", "minimizer", "occlusion"), "Occlusion"), (("gan", "minimizer"), "GAN |X − X−|")],
)
def test_the_paper_map_is_compared_with_a_rival_if_there_is_one(results, present, title):
    values = np.random.default_rng(1).gamma(1, 0.01, (SIDE, SIDE))
    paths = {method: results.folder / f"maps/lake/{method}.tif" for method in present}
    maps = [result_folder.write_map(path, method, values) for method, path in paths.items()]
    root = results.build(maps=maps)
    titles = {item.findtext("id"): item.findtext("layername") for item in root.iter("maplayer")}
    themes = {theme.get("name"): theme for theme in root.iter("visibility-preset")}
    shown = {
        name: [titles[layer.get("id")] for layer in themes[name].iter("layer")]
        for name in ("Attribution", "Comparison: other method")
    }
    assert "GAN |X+ − X−|" in shown["Attribution"] and title not in shown["Attribution"]
    others = set(shown["Comparison: other method"]) - set(shown["Attribution"])
    assert others == {title}


def test_land_cover_lists_classes_of_the_raster(results):
    root = results.build()
    palettes = root.findall(".//colorPalette")
    assert len(palettes) == 2
    assert [entry.get("label") for entry in palettes[0]] == [
        "312 Coniferous forest",
        "412 Peat bogs",
    ]
    assert [entry.get("color") for entry in palettes[0]] == ["#00a600", "#4d4dff"]


def test_areas_are_coloured_by_score_and_labelled(results):
    root = results.build()
    (layer,) = [m for m in root.iterfind(".//maplayer") if "areas.gpkg" in m.findtext("datasource")]
    ranges = layer.findall("renderer-v2/ranges/range")
    assert [r.get("label") for r in ranges][:2] == ["not mapped", "mean score 0.0 to 0.2"]
    assert layer.get("labelsEnabled") == "1"
    style = ElementTree.parse(results.areas.with_suffix(".qml")).getroot()
    assert style.get("labelsEnabled") == "1" and style.find("labeling") is not None


def test_areas_without_statistics_are_refused(results):
    areas = geopandas.read_file(results.areas).drop(columns="score_mean")
    results.areas.unlink()
    areas.to_file(results.areas)
    with pytest.raises(WildLensError, match="has no column score_mean; make it with area-stat"):
        results.build()


def test_extents_across_the_antimeridian_are_not_the_globe(tmp_path):
    results = Crossing(tmp_path)
    root = results.build()
    extents = {
        layer.findtext("layername"): [float(value.text) for value in layer.find("extent")]
        for layer in root.iterfind(".//maplayer")
    }
    west, south, east, north = crossing.box_of(crossing.GRID)
    expected = [west, south, east + 360, north]
    assert extents["Tiles: label and split"] == pytest.approx(expected, abs=1e-4)
    west, _, east, _ = extents["Protected areas: mean score"]
    assert (west, east) == pytest.approx((179.98, 180.03), abs=1e-3)
    view = root.find(".//DefaultViewExtent")
    assert float(view.get("xmax")) - float(view.get("xmin")) == 3600


def test_same_results_give_the_same_project(results):
    results.build()
    first = results.output.read_bytes()
    results.build()
    assert results.output.read_bytes() == first


def test_missing_inputs_are_left_out(results):
    root = results.build(landcovers=[], maps=[], footprints=None, areas=None)
    assert list(tree(root.find("layer-tree-group")))[:3] == ["field", "  Images",
                                                             "    X (true colour)"]  # fmt: skip
    assert not (results.folder / "areas.qml").exists()


def test_layers_outside_the_folder_are_warned_about(results, caplog):
    outside = results.folder.parent / "field.tif"
    shutil.copy(results.scenes[0], outside)
    with caplog.at_level("WARNING", "wildlens"):
        results.build(scenes=[outside])
    assert "../field.tif is outside" in caplog.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scenes": []}, "at least one scene"),
        ({"scenes": ["areas"]}, "cannot be opened as a raster"),
        ({"landcovers": ["scenes"]}, "but the legend of CORINE"),
    ],
)
def test_invalid_inputs_are_refused_and_the_project_stays(results, change, said):
    results.build()
    before = results.output.read_bytes()
    if change.get("scenes") == ["areas"]:
        change = {"scenes": [results.areas]}
    if "landcovers" in change:
        wrong = write_stack(
            results.folder / "wrong/lake.tif", np.full((1, SIDE, SIDE), 99, np.uint8), ["x"],
            "uint8",
        )  # fmt: skip
        change = {"landcovers": [wrong]}
    with pytest.raises(WildLensError, match=said):
        results.build(**change)
    assert results.output.read_bytes() == before


def draw(project: Path, folder: Path) -> dict:
    """What a real QGIS says of a project; pictures go to the folder."""
    environment = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    try:
        subprocess.run([SYSTEM_PYTHON, "-c", "import qgis.core"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("QGIS (python3-qgis) is not installed")
    folder.chmod(0o700)
    done = subprocess.run(
        [SYSTEM_PYTHON, DRAW, project, folder], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "may only be partially supported" not in done.stderr, "a GeoPackage is too new"
    return json.loads(done.stdout)


def test_qgis_draws_every_layer_of_a_moved_folder(results, tmp_path):
    results.build()
    archive = shutil.make_archive(tmp_path / "sent", "zip", results.folder)
    shutil.rmtree(results.folder)
    elsewhere = tmp_path / "ÅNGSTRÖM's folder"
    shutil.unpack_archive(archive, elsewhere)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    seen = draw(elsewhere / "wildlens.qgz", pictures)
    assert seen["read"] and seen["crs"] == "EPSG:32634" and seen["title"].startswith("WildLens")
    assert len(seen["layers"]) == 9
    for layer in seen["layers"]:
        assert layer["valid"] and not layer["errors"], layer
        assert layer["colours"] > 1, layer
        assert layer["crs"] in ("EPSG:4326", "EPSG:32634"), layer
        assert layer["source"].startswith(str(elsewhere))
    images = [layer for layer in seen["layers"] if layer["renderer"] == "multibandcolor"]
    assert all(layer["colours"] > 100 for layer in images), "stretched in reflectance"
    renderers = [layer["renderer"] for layer in seen["layers"]]
    assert renderers == [
        "categorizedSymbol", "graduatedSymbol", "singlebandpseudocolor", "singlebandpseudocolor",
        "multibandcolor", "multibandcolor", "paletted", "multibandcolor", "paletted",
    ]  # fmt: skip
    shown = [layer["title"] for layer in seen["layers"] if layer["shown"]]
    assert "GAN |X+ − X−|" in shown and "Occlusion" not in shown
    with rasterio.open(elsewhere / "scenes/lake.tif") as scene:
        assert seen["opens_at"] == list(scene.bounds)
    assert seen["whole"]["colours"] > 10 and not seen["whole"]["errors"]
    legends = {layer["title"]: layer["legend"] for layer in seen["layers"]}
    assert "412 Peat bogs" in legends["Land cover (CORINE)"]
    assert "protected, training" in legends["Tiles: label and split"]
    # no data is transparent: in scenes and maps a corner, in land cover a third of the pixels
    for layer in seen["layers"]:
        if layer["source"].endswith(".tif"):
            share = 1 / 3 if "landcover" in layer["source"] else 20 * 30 / SIDE**2
            assert layer["nodata"] and layer["transparent"] == pytest.approx(share, abs=0.03), layer
    check_themes(seen["themes"])
    check_layouts(seen["layouts"])


def check_themes(themes):
    """What QGIS says of the map themes."""
    areas, image = "Protected areas: mean score", "X (true colour)"
    assert {name: theme["layers"] for name, theme in themes.items()} == {
        "Image": [areas, image, image],
        "Attribution": [areas, "GAN |X+ − X−|", image, image],
        "Comparison: other method": [areas, "Occlusion", image, image],
        "Comparison: land cover": [areas, *["Land cover (CORINE)"] * 2],
    }
    for theme in themes.values():
        assert theme["colours"] > 1 and not theme["errors"]


def check_layouts(layouts):
    """What QGIS says of the print layouts, and exports of them."""
    assert list(layouts) == ["Map", "Comparison"]
    assert layouts["Map"]["themes"] == ["Attribution"]
    assert layouts["Map"]["legend"] == ["GAN |X+ − X−|", "Protected areas: mean score"]
    assert len(layouts["Comparison"]["themes"]) == 4
    for layout in layouts.values():
        assert layout["exported"] and layout["colours"] > 10
        assert any("scene lake" in text for text in layout["labels"])
        assert any(TRAINED_ON in text for text in layout["labels"])
        assert layout["bars"] in ([["m", 100]], [["m", 200]]) and layout["arrows"] == [False]
        assert not layout["outside"]
