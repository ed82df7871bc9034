"""Figures: content equals the data, text fits and does not overlap; styles for QGIS."""

import dataclasses
import json
import shutil
import subprocess
import sys
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from attributed import BANDS, BOG, FOREST, HEATH, ROCK, SIDE, TRAINED_ON, World, grid_at
from defusedxml import ElementTree
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize, to_hex
from matplotlib.text import Text
from PIL import Image

from wildlens.errors import WildLensError
from wildlens.evaluate import examples as saved_examples
from wildlens.figures import imagery, style
from wildlens.figures.area_scores import draw_areas
from wildlens.figures.class_bars import draw_classes
from wildlens.figures.examples import Example, draw_examples
from wildlens.figures.footprints import draw_tiles, shown_scenes
from wildlens.figures.land_cover_legend import LandCoverLegend
from wildlens.figures.method_bars import draw_methods
from wildlens.figures.overlays import (
    Overlaid,
    choose_by_fit,
    draw_overlays,
    fits_of,
    overlay,
)
from wildlens.figures.result_tables import AREAS, read_table
from wildlens.figures.scene_data import read_picture, read_scene
from wildlens.figures.scene_maps import SceneView, draw_maps, span
from wildlens.figures.step import draw
from wildlens.figures.tile_data import (
    read_examples,
    read_footprints,
    read_overlays,
    with_pictures,
)
from wildlens.figures.training_curves import draw_training, smooth
from wildlens.files.cog import writing_cog
from wildlens.files.map_tags import maps_by_scene
from wildlens.files.origin import TAG
from wildlens.files.raster import writing_geotiff
from wildlens.legend import CORINE
from wildlens.qgis import qml
from wildlens.registry.methods import attributions, names
from wildlens.registry.methods import title as method_title

METHODS = attributions()
TARGETS = [411, 412, 332, 333, 335]
FIGURES = {"examples", "overlays", "methods", "classes", "training", "map", "tiles"}

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")


def texts(sheet):
    """All text that is drawn, with its box in pixels."""
    canvas = FigureCanvasAgg(sheet.figure)
    canvas.draw()
    hidden = {label for axes in sheet.figure.axes for label in labels_out_of_view(axes)}
    found = [t for t in sheet.figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    return {t: t.get_window_extent(canvas.get_renderer()) for t in found if t not in hidden}


def labels_out_of_view(axes):
    """Labels of ticks beyond the limits: matplotlib makes them, but does not draw them."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def words(sheet):
    return [t.get_text() for t in texts(sheet)]


def check_layout(sheet):
    """Every text lies on the sheet, and no two lie on each other."""
    boxes, width, height = texts(sheet), *sheet.figure.bbox.size
    for text, box in boxes.items():
        assert box.x0 >= -1 and box.y0 >= -1, text
        assert box.x1 <= width + 1 and box.y1 <= height + 1, text
    upright = [(t, b) for t, b in boxes.items() if t.get_rotation() == 0]
    for (one, a), (other, b) in combinations(upright, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across < 2 or down < 2, (one, other)


# --- pictures -----------------------------------------------------------------------------------


def test_true_colour_uses_bands_by_name_and_one_stretch():
    bands = ["B08", "B02", "B03", "B04"]
    stretch = imagery.stretch_for(bands, [np.linspace(0, 1, 101)[None].repeat(4, 0)])
    assert (stretch.low, stretch.high) == pytest.approx((0.01, 0.98))
    image = np.zeros((4, 2, 2), np.float32)
    image[3, 0, 0] = 1  # red only
    image[1, 0, 1] = 1  # blue only
    valid = np.array([[True, True], [True, False]])
    picture = stretch(image, valid)
    assert picture[0, 0].tolist() == [1, 0, 0, 1]
    assert picture[0, 1].tolist() == [0, 0, 1, 1]
    assert picture[1, 1, 3] == 0
    assert stretch.name == "True colour"


def test_first_band_is_grey_without_true_colour():
    stretch = imagery.stretch_for(["B08", "B11"], [np.random.default_rng(0).random((2, 50))])
    picture = stretch(np.full((2, 1, 1), 0.5, np.float32), np.ones((1, 1), bool))
    assert stretch.name == "Band B08"
    assert picture[0, 0, 0] == picture[0, 0, 1] == picture[0, 0, 2]


def test_an_empty_or_flat_image_has_a_stretch():
    for sample in (np.zeros((3, 0)), np.full((3, 9), 0.2)):
        stretch = imagery.stretch_for(BANDS, [sample])
        assert stretch.high > stretch.low
        assert np.isfinite(stretch(np.zeros((3, 1, 1), np.float32), np.ones((1, 1), bool))).all()


def test_land_cover_has_official_colours():
    picture = imagery.land_cover_picture(np.array([[0, BOG], [FOREST, 200]], np.uint8))
    assert picture[0, 0, 3] == 0 and picture[1, 1, 3] == 0
    assert picture[0, 1].tolist() == [77, 77, 255, 255]
    assert picture[1, 0].tolist() == [0, 166, 0, 255]


def test_limits_ignore_outliers_and_missing_values():
    values = np.append(np.linspace(0, 1, 1000), [1e6, np.nan, np.inf])
    limits = imagery.scale_of(values, False).limits
    assert limits.vmin == pytest.approx(0.01, abs=0.002) and limits.vmax < 1.001
    for values in (np.full(5, np.nan), np.full(5, 3.0), np.zeros(5)):
        for signed in (False, True):  # a scene may lie under clouds alone
            limits = imagery.scale_of(values, signed).limits
            assert limits.vmax > limits.vmin


def test_the_scale_of_a_method_with_a_sign_starts_at_zero_in_every_tile():
    picture = np.dstack([np.full((4, 25), c) for c in (0.2, 0.5, 0.8)] + [np.ones((4, 25))])
    values = np.linspace(0.4, 0.6, 100).reshape(4, 25)
    other = values.copy()
    other[0, 0] = -1e-9  # rounding must not decide
    shown = [overlay(picture, each, True)[2, 3] for each in (values, other)]
    assert shown[0] == pytest.approx(shown[1], abs=1e-6)
    without = [overlay(picture, each, False)[2, 3] for each in (values, other)]
    assert without[0] == pytest.approx(without[1], abs=0.05)


def test_values_below_zero_get_colours_that_diverge_from_zero():
    values = np.append(np.linspace(-0.5, 2, 1000), np.nan)
    scale = imagery.scale_of(values, True)
    assert scale.signed and scale.limits.vmin == -scale.limits.vmax
    assert scale.limits.vmax == pytest.approx(2, abs=0.05)
    colours = scale.options["cmap"](scale.limits([-2.0, 0.0, 2.0]))
    assert (colours[1, :3] > 0.9).all(), "zero is nearly white"
    assert np.abs(colours[0] - colours[2]).max() > 0.5
    strength = scale.strength(np.array([-1.0, 0.0, 1.0, 3.0, np.nan]))
    assert strength == pytest.approx([0, 0, 1 / scale.limits.vmax, 1, 0])


@pytest.mark.parametrize(
    ("metres", "bar"), [(999, 500), (1000, 1000), (1999, 1000), (2000, 2000), (4e4, 2e4), (7, 5)]
)
def test_scale_bars_have_round_lengths(metres, bar):
    assert imagery.round_length(metres) == bar


def test_legend_shows_frequent_classes_and_counts_others():
    sheet = style.Sheet(6, 4, "title")
    classes = np.repeat([0, BOG, FOREST, HEATH, ROCK], [500, 9, 30, 20, 2]).astype(np.uint8)
    LandCoverLegend([classes], TARGETS, most=3, width=6).draw(sheet, 0, 1)
    legend = sheet.figure.legends[0]
    labels = {t.get_text(): t.get_fontweight() for t in legend.get_texts()}
    # the rare target class stays, the rarer of the others goes
    assert labels == {
        "312 Coniferous forest": "normal",
        "332 Bare rocks": "bold",
        "412 Peat bogs": "bold",
    }
    assert "1 rarer class" in legend.get_title().get_text()


@pytest.mark.parametrize("width", [2.7, 6.2, 20])
def test_legend_shows_complete_names_and_fits_its_space(width):
    every = np.arange(1, len(CORINE.classes) + 1, dtype=np.uint8)
    legend = LandCoverLegend([every], TARGETS, most=44, width=width)
    sheet = style.Sheet(width + 0.4, legend.height + 0.6, "title")
    legend.draw(sheet, 0.2, 0.5)
    check_layout(sheet)
    shown = {" ".join(text.split()) for text in words(sheet)}
    assert {f"{c.code} {c.name}" for c in CORINE.classes} <= shown
    assert 1 <= legend.columns <= 3


# --- examples -----------------------------------------------------------------------------------


def example(name="tile", methods=METHODS, references=("corine", "truth"), seed=0):
    rng = np.random.default_rng(seed)
    valid = np.ones((SIDE, SIDE), bool)
    valid[:6, :9] = False
    classes = rng.choice([BOG, ROCK, FOREST], (SIDE, SIDE)).astype(np.uint8) * valid
    return Example(
        name=name,
        reason="highest score",
        images=rng.random((3, 3, SIDE, SIDE)).astype(np.float32),
        scores=np.array([0.81, 0.92, 0.17]),
        valid=valid,
        references=dict.fromkeys(references, classes),
        attributions={m: np.where(valid, rng.random(valid.shape), np.nan) for m in methods},
    )


@pytest.mark.parametrize(
    ("count", "methods", "references"),
    [(4, METHODS, ("corine", "truth")), (1, ("gan",), ("corine",)), (2, METHODS[:5], ("corine",))],
)
def test_examples_show_images_scores_land_cover_and_methods(count, methods, references):
    sheet = draw_examples(
        [example(f"T34WDA_{i}", methods, references, i) for i in range(count)], BANDS, TARGETS
    )
    check_layout(sheet)
    shown = words(sheet)
    for title in ("X, score 0.81", "X+, score 0.92", "X−, score 0.17"):
        assert shown.count(title) == count
    for method in methods:
        assert shown.count(method_title(method)) == count
    images = [axes.images[0] for axes in sheet.figure.axes if axes.images]
    assert len(images) == count * (4 + len(references) + len(methods))
    assert shown.count("500 m" if SIDE == 128 else "100 m") == count
    # what is missing in the tile is missing in every picture of it
    for image in images:
        rgba = image.to_rgba(image.get_array())
        assert (rgba[:6, :9, 3] == 0).all() and (rgba[6:, :, 3] > 0).all()


def test_each_method_has_one_scale_for_all_tiles():
    bright = example("bright")
    bright.attributions["gan"] *= 100
    sheet = draw_examples([example("dark"), bright], BANDS, TARGETS)
    scales = [a.images[0].norm for a in sheet.figure.axes if a.get_title() == "GAN |X+ − X−|"]
    assert len(scales) == 2 and scales[0].vmax == scales[1].vmax > 50


# --- overlays ------------------------------------------------------------------------------------


def test_fit_is_precision_over_chance_where_both_kinds_occur():
    precision = np.array([1.0, 0.3, 0.2, 0.9, np.nan, 0.02, 0.98])
    share = np.array([0.3, 0.3, 0.4, 0.99, 0.0, 0.02, 0.98])
    fits = fits_of(precision, share)
    assert fits[[0, 1, 2, 5, 6]] == pytest.approx([1 / 0.3, 1, 0.5, 1, 1])
    assert np.isnan(fits[[3, 4]]).all()


@pytest.mark.parametrize(
    ("fits", "chosen"),
    [
        ([1.0, 3.0, np.nan, 2.0, 0.5], {1: "best", 0: "median", 4: "worst"}),
        ([np.nan, 2.0], {1: "best"}),
        ([1.0, 2.0], {1: "best", 0: "median"}),
        ([np.nan], {}),
    ],
)
def test_best_median_and_worst_are_shown_once_each(fits, chosen):
    found = choose_by_fit(np.array(fits))
    assert {tile: reason.partition(",")[0] for tile, reason in found.items()} == chosen


def test_overlay_is_grey_where_low_and_coloured_where_high():
    picture = np.dstack([np.full((4, 25), c) for c in (0.2, 0.5, 0.8)] + [np.ones((4, 25))])
    values = np.linspace(0, 1, 100).reshape(4, 25)
    values[1, 1] = np.nan
    shown = overlay(picture, values, False)
    high = colormaps[style.ATTRIBUTION](1.0)
    assert shown[0, 0] == pytest.approx([0.5, 0.5, 0.5, 1]), "grey of the same brightness"
    assert shown[1, 1] == pytest.approx([0.5, 0.5, 0.5, 1]), "missing values cover nothing"
    assert shown[3, 24] == pytest.approx(high, abs=1e-6)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_overlays_show_every_method_on_every_tile(count):
    tiles = []
    for number in range(count):
        one = example(f"T34WDA_{number}", seed=number)
        target = one.references["truth"] == BOG
        tiles.append(Overlaid(one.name, "best", one.images[0], one.valid, target, one.attributions))
    sheet = draw_overlays(tiles, 79, "gan", BANDS, "truth")
    check_layout(sheet)
    titles = [axes.get_title() for axes in sheet.figure.axes if axes.images]
    assert titles == ["X", *map(method_title, METHODS)] * count
    assert count or any("none can be ranked" in text for text in words(sheet))


# --- tables as figures --------------------------------------------------------------------------


def methods_csv(methods=METHODS, references=("corine", "truth")):
    rng = np.random.default_rng(0)
    rows = []
    for reference in references:
        for number, method in enumerate(methods):
            iou = 0.6 - 0.05 * number
            rows.append(
                {"method": method, "reference": reference, "tiles": 80, "blocks": 23,
                 "auroc": rng.random(), "average_precision": rng.random(), "iou": iou,
                 "iou_low": iou - 0.05, "iou_high": iou + 0.06, "iou_otsu": iou - 0.1,
                 "target_share": 0.27, "iou_minus_gan": iou - 0.6 if number else np.nan,
                 "iou_minus_gan_low": iou - 0.65, "iou_minus_gan_high": iou - 0.5}
            )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("methods", "references"), [(METHODS, ("corine", "truth")), (("gan",), ("corine",))]
)
def test_methods_figure_shows_every_metric(methods, references):
    table = methods_csv(methods, references)
    sheet = draw_methods(table, "wetlands and bare land")
    check_layout(sheet)
    assert len(sheet.figure.axes) == len(references)
    for axes, (_, rows) in zip(sheet.figure.axes, table.groupby("reference"), strict=True):
        assert [t.get_text() for t in axes.get_yticklabels()] == [method_title(m) for m in methods]
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        assert [line.get_xdata()[0] for line in dots] == rows["iou"].tolist()
        assert [line.get_ydata()[0] for line in dots] == list(range(len(methods)))
        assert [line.get_color() for line in dots] == [style.method_colour(m) for m in methods]
        bars = [line for line in axes.lines if len(line.get_xdata()) == 2]
        bar = next(line for line in bars if line.get_ydata()[0] == 0)
        assert tuple(bar.get_xdata()) == tuple(rows[["iou_low", "iou_high"]].iloc[0])
        assert any(list(line.get_xdata()) == [0.27, 0.27] for line in axes.lines)
        assert axes.get_ylim()[0] > axes.get_ylim()[1]  # first method on top
        assert axes.get_xlim()[1] > rows["iou_high"].max()


def test_methods_figure_writes_signed_differences_and_no_nan():
    table = methods_csv()
    table.loc[table["method"] == "deeplift", ["iou_minus_gan_low", "iou_minus_gan_high"]] = np.nan
    table["iou_low"] = table["iou_high"] = np.nan  # one block: no interval
    shown = words(draw_methods(table, "bogs"))
    assert "−0.050 [−0.100, +0.050]" in shown
    assert "−0.200" in shown and "–" in shown
    assert not any("nan" in text for text in shown)


def classes_csv(codes=(312, 332, 412), methods=METHODS, references=("corine", "truth")):
    rng = np.random.default_rng(0)
    rows = [
        {"method": method, "reference": reference, "scene": scene, "class_code": str(code),
         "class_name": "wetlands and bare land" if code == "targets" else CORINE.of_code(code).name,
         "pixels": 100, "relative_attribution": rng.uniform(0.05, 20)}
        for reference in references
        for method in methods
        for scene in ("test tiles", "lake")
        for code in (*codes, "targets")
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("codes", "methods", "references"),
    [
        ((312, 332, 412), METHODS, ("corine", "truth")),
        ((412,), ("gan",), ("corine",)),
        (tuple(c.code for c in CORINE.classes), METHODS, ("corine",)),
    ],
)
def test_classes_figure_shows_every_class_of_every_method(codes, methods, references):
    table = classes_csv(codes, methods, references)
    sheet = draw_classes(table, TARGETS)
    check_layout(sheet)
    shown = words(sheet)
    for code in codes:
        assert sum(text.startswith(f"{code} ") for text in shown) == len(references)
    panels = [axes for axes in sheet.figure.axes if axes.get_xticklabels()[0].get_rotation()]
    assert len(panels) == len(references)
    cells = table[(table["scene"] == "test tiles") & (table["reference"] == references[0])]
    wanted = cells.pivot(index="class_code", columns="method", values="relative_attribution")
    wanted = wanted.loc[[*map(str, codes), "targets"], list(methods)].to_numpy().ravel()
    written = [float(t.get_text()) for t in panels[0].texts if t.get_ha() == "center"]
    # rows follow each other by code, the group last
    np.testing.assert_allclose(written, wanted, rtol=0.06, atol=0.006)


def test_classes_figure_marks_targets_missing_and_negative_values():
    table = classes_csv(methods=("gan", "occlusion"), references=("corine",))
    table.loc[(table["method"] == "gan"), "relative_attribution"] = np.nan
    table.loc[(table["method"] == "occlusion"), "relative_attribution"] = -0.5
    found = texts(draw_classes(table, TARGETS))
    weights = {t.get_text(): t.get_fontweight() for t in found}
    assert weights["412 Peat bogs"] == weights["Wetlands and bare land"] == "bold"
    assert weights["312 Coniferous forest"] == "normal"
    assert sum(t.get_text() == "–" for t in found) == 4
    assert sum(t.get_text() == "−0.50" for t in found) == 4


def training_tables(epochs=12, steps=200):
    rng = np.random.default_rng(0)
    epoch, step = np.arange(1, epochs + 1), np.arange(1, steps + 1)
    loss = 1 / epoch + 0.1
    classifier = pd.DataFrame(
        {"epoch": epoch, "rate": 0.01, "train_loss": loss, "val_loss": loss + 0.1,
         "val_accuracy": 1 - loss / 3}
    )  # fmt: skip
    names = ("similarity_max", "similarity_min", "cycle", "adversarial", "discriminator",
             "score_max", "score_min")  # fmt: skip
    gan = pd.DataFrame({"step": step} | {name: rng.random(steps) for name in names})
    gan.loc[0, ["similarity_max", "cycle"]] = 0  # generators start as the identity
    accuracy = pd.DataFrame(
        {"split": ["train", "val", "test"], "tiles": [1400, 190, 300], "accuracy": [0.9, 0.8, 0.8],
         "auroc": [0.99, 0.97, 0.96], "fgsm_accuracy": [0.6, 0.5, 0.45]}
    )  # fmt: skip
    return classifier, gan, accuracy


@pytest.mark.parametrize(("epochs", "steps"), [(12, 200), (1, 1)])
def test_training_figure_draws_every_curve(epochs, steps):
    classifier, gan, accuracy = training_tables(epochs, steps)
    sheet = draw_training(classifier, gan, accuracy)
    check_layout(sheet)
    loss, rate, final, *_, scores = sheet.figure.axes
    assert loss.lines[0].get_ydata().tolist() == classifier["train_loss"].tolist()
    assert loss.lines[1].get_ydata().tolist() == classifier["val_loss"].tolist()
    assert rate.lines[0].get_ydata().tolist() == classifier["val_accuracy"].tolist()
    # the loss is lowest in the last epoch
    assert any(list(line.get_xdata()) == [epochs, epochs] for line in loss.lines)
    assert final.lines[2].get_ydata().tolist() == accuracy["fgsm_accuracy"].tolist()
    assert [t.get_text() for t in scores.get_legend().get_texts()] == ["X+", "X−"]
    assert scores.lines[0].get_ydata().tolist() == gan["score_max"].tolist()


def test_smoothing_keeps_mean_and_length():
    values = pd.Series(np.r_[np.zeros(100), np.ones(100)])
    smoothed = smooth(values)
    assert len(smoothed) == 200 and smoothed.iloc[50] == 0 and smoothed.iloc[150] == 1
    assert smoothed.iloc[100] == pytest.approx(0.5, abs=0.1)


# --- scenes and footprints ----------------------------------------------------------------------


def view(name="T35WNT", shape=(40, 60), methods=METHODS[:5], landcover=True):
    rng = np.random.default_rng(0)
    valid = rng.random(shape) > 0.1
    return SceneView(
        name=name,
        crs="EPSG:32635",
        pixel_m=137.25,
        reflectance=rng.random((3, *shape)).astype(np.float32),
        valid=valid,
        bands=BANDS,
        landcover=rng.integers(0, 45, shape).astype(np.uint8) if landcover else None,
        maps={m: np.where(valid, rng.normal(size=shape), np.nan) for m in methods},
        units=dict.fromkeys(methods[:1], "reflectance"),
    )


@pytest.mark.parametrize(
    "scenes",
    [
        [view()],
        [view(shape=(90, 30), methods=METHODS), view("T34WDA", landcover=False)],
        [view(shape=(10, 90), methods=("gan",))],
        [view(methods=METHODS[:2])],
    ],
)
def test_maps_figure_shows_every_scene_and_method(scenes):
    sheet = draw_maps(scenes, TARGETS)
    check_layout(sheet)
    titles = [axes.get_title() for axes in sheet.figure.axes]
    for scene in scenes:
        assert f"Scene {scene.name} (EPSG:32635)" in words(sheet)
    for method in METHODS:
        wanted = sum(method in scene.maps for scene in scenes)
        assert sum(t.startswith(f"{method_title(method)}\n") for t in titles) == wanted
    wanted = sum(scene.landcover is not None for scene in scenes)
    assert titles.count("CORINE land cover") == wanted
    assert words(sheet).count("N") == len(scenes)


@pytest.mark.parametrize(
    ("low", "high", "unit", "said"),
    [
        (9.4e-05, 0.0098, "reflectance", "0.0001 to 0.0098 reflectance"),
        (0, 0.00065, "logit", "0 to 0.00065 logit"),
        (-0.43, 0.25, "", "−0.43 to 0.25"),
        (-12.4, 340, "logit", "−12 to 340 logit"),
        (0, 0, "", "0 to 0"),
    ],
)
def test_scale_ends_are_written_without_exponents(low, high, unit, said):
    assert span(Normalize(low, high), unit) == said


def test_controls_have_no_pictures_unless_there_is_nothing_else():
    assert with_pictures(METHODS) == list(names("paper", "rival"))
    assert with_pictures(["random", "deeplift_randomised"]) == ["random", "deeplift_randomised"]


def test_maps_figure_without_scenes_says_so():
    assert any("No scene was mapped" in text for text in words(draw_maps([], TARGETS)))


def area_statistics(count=3, ring=True, landcover=True, name="Site {}"):
    """Rows of area_statistics.csv with what the figure reads."""
    rows = []
    for site in range(count):
        for zone in ("inside", "ring") if ring else ("inside",):
            row = {"site_id": str(site), "name": name.format(site), "zone": zone}
            row |= {"category": "Ia", "designation": "Reserve"}
            row |= {"covered_km2": 1.0 + site, "covered_share": 0.5}
            row |= {"score_mean": 0.9 - 0.02 * site, "score_sd": 0.3}
            row |= {"landcover_main": "324 Transitional woodland-shrub"} if landcover else {}
            rows.append(row | ({"landcover_main_share": 0.25} if landcover else {}))
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"count": 1, "ring": False},
        {"count": 45, "landcover": False},
        {"name": "Réserve $x^2$ with a name of far too many words for its line {}"},
    ],
)
def test_areas_figure_fits_with_any_table(options):
    sheet = draw_areas(area_statistics(**options))
    check_layout(sheet)
    said = words(sheet)
    assert sum(word.startswith(("Site", "Réserve")) for word in said) == min(
        options.get("count", 3), 20
    )
    assert ("ring around it" in said) == options.get("ring", True)


def test_areas_figure_shows_the_areas_with_the_most_ground_by_score():
    table = area_statistics(count=25)
    labels = [t for t in words(draw_areas(table)) if t.startswith("Site")]
    assert labels == [f"Site {n}" for n in range(5, 25)]
    nameless = draw_areas(table.assign(name=float("nan")))
    assert "24" in words(nameless) and "nan" not in words(nameless)


@pytest.mark.parametrize("differs", ["name", "category", "designation"])
def test_areas_figure_gives_each_parcel_of_one_id_its_own_ring(tmp_path, differs):
    table = area_statistics(count=2, name="Site").assign(site_id="7")
    table["score_mean"] = [0.9, 0.2, 0.7, 0.4]
    table[differs] = ["", "", "II", "II"]  # read as missing
    table.to_csv(tmp_path / "area_statistics.csv", index=False)
    axes = draw_areas(read_table(tmp_path, AREAS)).figure.axes[0]
    rings = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "|"]
    assert rings == [0.2, 0.4]


def test_areas_figure_without_areas_says_so():
    assert "No protected area lies in a mapped scene." in words(draw_areas(area_statistics()[:0]))


def footprints(scenes=("A", "B")):
    rows = [
        (scene, row * 128, col * 128, (row + col) % 2, ("train", "val", "test")[col % 3])
        for scene in scenes
        for row in range(4)
        for col in range(5)
    ]
    return pd.DataFrame(rows, columns=["scene", "row", "col", "label", "split"])


def test_tiles_figure_places_footprints_in_kilometres():
    table = footprints()
    sheet = draw_tiles(table, 128)
    check_layout(sheet)
    assert len(sheet.figure.axes) == 2
    corners = set()
    for collection in sheet.figure.axes[0].collections:
        for path in collection.get_paths():
            box = path.get_extents()
            assert box.width == pytest.approx(1.28) and box.height == pytest.approx(1.28)
            corners.add((round(box.x0, 2), round(box.y0, 2)))
    rows = table[table["scene"] == "A"]
    assert corners == {
        (round(c / 100, 2), round(r / 100, 2))
        for r, c in zip(rows["row"], rows["col"], strict=True)
    }
    assert sheet.figure.axes[0].get_ylim()[0] > sheet.figure.axes[0].get_ylim()[1]  # north is up
    counts = {t.get_text() for t in sheet.figure.legends[0].get_texts()}
    protected = table[(table["label"] == 1) & (table["split"] == "train")]
    assert f"protected, training: {len(protected)}" in counts


def test_tiles_figure_shows_the_scenes_with_the_most_tiles():
    table = pd.concat([footprints("ABCDEFGH"), footprints("BCDEFG")])
    sheet = draw_tiles(table, 128)
    check_layout(sheet)
    assert [a.get_title(loc="left")[0] for a in sheet.figure.axes] == list("BCDEFG")
    assert shown_scenes(table) == list("BCDEFG")


# --- styles for QGIS ----------------------------------------------------------------------------


def write_map(path, values):
    with writing_cog(path, grid_at(500_000, values), tags={}, descriptions=["gan"]) as dataset:
        dataset.write(values.astype(np.float32), 1)
    return path


def test_attribution_style_ramps_from_zero_to_the_99th_percentile(tmp_path):
    rng = np.random.default_rng(0)
    values = np.abs(rng.normal(0.01, 0.003, (300, 200)))
    values[:30] = np.nan
    values[40, 40] = 5  # an outlier
    path = write_map(tmp_path / "gan.tif", np.clip(values, 0, None))
    written = qml.write_attribution_style(path, 'GAN <|X+ − X−|> & "more"')
    assert written == tmp_path / "gan.qml"
    assert written.read_text(encoding="utf-8").startswith("<!DOCTYPE qgis")
    renderer = ElementTree.parse(written).getroot().find("pipe/rasterrenderer")
    assert renderer.get("type") == "singlebandpseudocolor" and renderer.get("band") == "1"
    shader = renderer.find("rastershader/colorrampshader")
    assert shader.get("colorRampType") == "INTERPOLATED"
    items = shader.findall("item")
    steps = [float(item.get("value")) for item in items]
    assert steps == sorted(steps) and steps[0] == 0
    assert steps[-1] == pytest.approx(np.nanpercentile(values, 99))
    assert [item.get("color") for item in items] == [
        to_hex(colormaps["viridis"](x)) for x in np.linspace(0, 1, len(steps))
    ]
    assert items[0].get("label") == 'GAN <|X+ − X−|> & "more": 0, low'
    assert items[-1].get("label").endswith(" or more, high")


def test_ramp_of_a_large_map_is_from_percentiles(tmp_path):
    smooth = np.linspace(0, 10, 1600)[:, None] * np.ones((1, 1200))
    smooth[0, :9] = 500  # a hundred thousandth of the map, which moves its deviation, not its ramp
    qml.write_attribution_style(write_map(tmp_path / "m.tif", smooth), "m")
    assert top_and_bottom(tmp_path / "m.qml") == (pytest.approx(9.9, rel=0.01), 0)
    path = tmp_path / "score.tif"
    tags = {"wildlens_method": "score"}
    with writing_cog(path, grid_at(500_000, smooth), tags=tags, descriptions=["score"]) as dataset:
        dataset.write((smooth / 1000).astype(np.float32), 1)
    qml.write_attribution_style(path, "Score")
    assert top_and_bottom(tmp_path / "score.qml") == (1, 0)


def top_and_bottom(path):
    root = ElementTree.parse(path).getroot()
    steps = [float(item.get("value")) for item in root.iter("item")]
    return steps[-1], steps[0]


def test_signed_constant_and_empty_maps_have_a_ramp(tmp_path):
    rng = np.random.default_rng(0)
    for name, values in {
        "signed": rng.normal(0, 1, (20, 20)),
        "constant": np.full((20, 20), 0.3),
        "zero": np.zeros((20, 20)),
        "negative": -rng.random((20, 20)) - 3,
        "empty": np.full((20, 20), np.nan),
    }.items():
        style_path = qml.write_attribution_style(write_map(tmp_path / f"{name}.tif", values), name)
        top, bottom = top_and_bottom(style_path)
        assert bottom < top, name
        if name != "empty":
            assert bottom <= np.median(values) <= top, name
    assert top_and_bottom(tmp_path / "signed.qml")[1] < -1


def write_scene(path, bands=("B02", "B03", "B04", "B08")):
    rng = np.random.default_rng(0)
    stored = rng.integers(1, 2500, (len(bands), 60, 80)).astype(np.uint16)
    stored[:, :20, :20] = 0
    options = {"count": len(bands), "dtype": "uint16", "nodata": 0, "tags": {}}
    with writing_geotiff(path, grid_at(500_000, stored[0]), descriptions=bands, **options) as out:
        out.write(stored)
    return path


def test_scene_style_uses_bands_by_name(tmp_path):
    path = qml.write_scene_style(tmp_path / "s.tif", ["B08", "B02", "B03", "B04"])
    renderer = ElementTree.parse(path).getroot().find("pipe/rasterrenderer")
    assert renderer.get("type") == "multibandcolor"
    assert [renderer.get(f"{c}Band") for c in ("red", "green", "blue")] == ["4", "3", "2"]
    for colour in ("red", "green", "blue"):
        enhancement = renderer.find(f"{colour}ContrastEnhancement")
        assert 0 < float(enhancement.findtext("minValue")) < float(enhancement.findtext("maxValue"))
    path = qml.write_scene_style(tmp_path / "grey.tif", ["B08"])
    renderer = ElementTree.parse(path).getroot().find("pipe/rasterrenderer")
    assert renderer.get("type") == "singlebandgray" and renderer.get("grayBand") == "1"


IN_QGIS = """
import os, sys
from qgis.core import QgsApplication, QgsRasterLayer
application = QgsApplication([], False)
application.initQgis()
for path in sys.argv[1:]:
    layer = QgsRasterLayer(path, "layer")
    print(layer.isValid(), layer.loadDefaultStyle()[1], layer.renderer().type())
sys.stdout.flush()
os._exit(0)  # tearing QGIS down may crash
"""


def test_qgis_loads_the_styles(tmp_path):
    """QGIS itself opens map and scene; needs Debian's python3-qgis."""
    python = "/usr/bin/python3"
    environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path)}
    try:
        subprocess.run([python, "-c", "import qgis.core"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("QGIS (python3-qgis) is not installed")
    path = write_map(tmp_path / "gan.tif", np.random.default_rng(0).random((300, 300)))
    qml.write_attribution_style(path, "GAN")
    scene = write_scene(tmp_path / "scene.tif")
    qml.write_scene_style(scene, ["B02", "B03", "B04", "B08"])
    done = subprocess.run(
        [python, "-c", IN_QGIS, path, scene], capture_output=True, text=True, env=environment
    )
    assert done.stdout.splitlines() == [
        "True True singlebandpseudocolor",
        "True True multibandcolor",
    ], done.stderr


# --- from files to figures ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A world with a mapped scene, evaluated, with the metrics of its trainings."""
    world = World(tmp_path_factory.mktemp("world"))
    rng = np.random.default_rng(0)
    shape = (900, 640)
    stored = rng.integers(100, 2500, (3, *shape)).astype(np.uint16)
    stored[:, :100, :100] = 0
    values = np.where(stored[0] > 0, rng.normal(0.02, 0.01, shape), np.nan).astype(np.float32)
    landcover = rng.choice([0, BOG, FOREST], shape).astype(np.uint8)
    world.add_map("lake", "gradcam", values, landcover)
    world.add_map("lake", "gan", values)
    world.add_scene("lake", stored)
    world.add_scene("T34WDA", stored[:, : SIDE * 20, :SIDE])  # where the tiles come from
    world.write().run()
    for name, table in zip(("classifier/training", "gan/training", "classifier/accuracy"),
                           training_tables(), strict=True):  # fmt: skip
        path = world.path(f"metrics/{name}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False)
    return world


def run_draw(world, output="figures", **changed):
    arguments = {
        "tiles": world.path("tiles.zarr"),
        "attributions": [world.path(f"{method}.zarr") for method in world.attributions],
        "scenes": world.scenes,
        "maps": world.maps,
        "landcovers": world.landcovers,
        "evaluation": world.path("out"),
        "metrics": world.path("metrics"),
        "output": world.path(output),
    }
    draw(**(arguments | changed))


@pytest.fixture(scope="module")
def drawn(evaluated):
    run_draw(evaluated)
    return evaluated


def test_all_figures_are_drawn_from_files(drawn):
    written = {path.name for path in drawn.path("figures").iterdir()}
    assert written == {f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "pdf")}
    for name in FIGURES:
        with Image.open(drawn.path(f"figures/{name}.png")) as image:
            assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
            assert image.info["wildlens_step"] == "figures"
            assert "landcover/lake.tif" in json.loads(image.info["wildlens_inputs"])
            assert image.info[TAG] == TRAINED_ON
            assert "targets:" in image.info["wildlens_settings"]
            assert len(image.convert("RGB").getcolors(2**24)) > 20


def test_same_inputs_give_the_same_figures(drawn):
    run_draw(drawn, "again")
    for name in (f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "pdf")):
        one, two = (drawn.path(f"{folder}/{name}").read_bytes() for folder in ("figures", "again"))
        assert one == two, name


def test_figure_is_extended_by_its_footer(tmp_path):
    for name, footer in (("without", ""), ("with", "Models: unknown. " * 20)):
        sheet = style.Sheet(4, 1, "title")
        sheet.save(tmp_path / f"{name}.png", {"key": "value"}, footer)
    without, extended = (
        np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB"))
        for name in ("without", "with")
    )
    assert without.shape == (150, 600, 3) and extended.shape[1] == 600
    assert np.array_equal(extended[:150], without)
    margin = int(0.1 * 150)
    below = extended[150:]
    assert (below < 200).any() and (below[:, -margin:] == 255).all()
    assert (below[-margin:] == 255).all(), "no line is cut"


def test_scene_is_resampled_with_maps_and_land_cover(evaluated):
    by_method = maps_by_scene(evaluated.maps)["lake"]
    scene = read_scene(evaluated.scenes[0], by_method, evaluated.landcovers[0])
    assert list(scene.maps) == ["gan", "gradcam"]  # in the order of the settings
    assert scene.valid.shape == (800, 569) == scene.maps["gan"].shape == scene.landcover.shape
    assert scene.pixel_m == pytest.approx(10 * 640 / 569)
    assert scene.crs == "EPSG:32634" and list(scene.bands) == BANDS
    assert not scene.valid[:85, :85].any() and scene.valid[95:, 95:].all()
    assert np.isnan(scene.maps["gan"][:85, :85]).all()
    assert scene.reflectance.max() < 0.25


def test_footprints_lie_on_the_picture_of_their_scene(evaluated):
    tiles, size = read_footprints(evaluated.path("tiles.zarr"))
    assert size == SIDE and len(tiles) == 20
    picture = read_picture(evaluated.scenes[1])
    assert picture.shape == (640, 32)
    sheet = draw_tiles(tiles, size, {"T34WDA": picture})
    left, right, south, north = sheet.figure.axes[0].images[0].get_extent()
    assert (left, north) == (0, 0) and (right, south) == pytest.approx((0.32, 6.4))


def test_maps_without_a_scene_file_are_named_in_the_log(evaluated, caplog):
    with caplog.at_level("INFO", "wildlens"):
        run_draw(evaluated, "less", scenes=[])
    assert "map.png: left out" in caplog.text and "lake" in caplog.text


def test_figures_need_no_pyplot():
    code = "import sys, wildlens.figures.step; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_figures_run_no_network(evaluated, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("a network was run")

    monkeypatch.setattr("torch.nn.Module.__call__", fail)
    monkeypatch.setattr("wildlens.networks.weights.load_classifier", fail)
    run_draw(evaluated, "no-network")
    assert len(list(evaluated.path("no-network").glob("*.png"))) == len(FIGURES)


def test_examples_are_the_tiles_and_images_of_the_evaluation(evaluated):
    found, bands = read_examples(
        evaluated.path("out/examples.npz"), evaluated.path("tiles.zarr"),
        [evaluated.path("gan.zarr")], ["corine", "truth"],
    )  # fmt: skip
    assert bands == BANDS and 1 <= len(found) <= 4
    for one in found:
        row = int(one.name.removeprefix("tile-"))
        assert evaluated.split[row] == "test"
        assert one.images[0] == pytest.approx(evaluated.reflectance[row] / 10_000)
        assert np.array_equal(one.references["truth"], evaluated.truth[row])
        assert np.array_equal(one.attributions["gan"], evaluated.attributions["gan"][row])


def test_overlays_are_ranked_by_the_table_of_the_evaluation(evaluated):
    table = pd.read_csv(evaluated.path("out/tiles.csv"), dtype={"tile": str})
    stores = [evaluated.path(f"{method}.zarr") for method in evaluated.attributions]
    tiles, ranked, method, bands, reference = read_overlays(
        evaluated.path("tiles.zarr"), stores, table, TARGETS
    )
    assert (ranked, method, bands, reference) == (12, "gan", BANDS, "truth")
    rows = table.query("method == 'gan' and reference == 'truth'").set_index("tile")
    fits = (rows["average_precision"] / rows["target_share"]).sort_values()
    assert [t.name for t in tiles][::2] == [fits.index[-1], fits.index[0]]
    for tile in tiles:
        row = int(tile.name.removeprefix("tile-"))
        assert np.array_equal(tile.target, np.isin(evaluated.truth[row], [BOG, ROCK]))


def test_examples_of_other_tiles_or_broken_ones_are_refused(evaluated, tmp_path):
    shutil.copytree(evaluated.path("out"), tmp_path / "out")
    found = saved_examples.read_examples(evaluated.path("out/examples.npz"))
    other = dataclasses.replace(found, names=np.array([f"x{n}" for n in found.names]))
    saved_examples.write_examples(tmp_path / "out/examples.npz", other)
    refused(evaluated, "tiles.zarr", "has no tile 'x", evaluation=tmp_path / "out")
    (tmp_path / "out/examples.npz").write_bytes(b"PK broken")
    refused(evaluated, "examples.npz", "wildlens evaluate", evaluation=tmp_path / "out")
    np.savez(tmp_path / "out/examples.npz", names=np.array([{}], object), allow_pickle=True)
    refused(evaluated, "examples.npz", "wildlens evaluate", evaluation=tmp_path / "out")


def refused(world, *expected, **changed):
    with pytest.raises(WildLensError) as error:
        run_draw(world, "refused", **changed)
    message = str(error.value)
    assert "\n" not in message and not world.path("refused").exists()
    for word in expected:
        assert word in message


def test_tables_that_are_missing_or_incomplete_are_refused(evaluated, tmp_path):
    refused(evaluated, "provenance.json", "wildlens evaluate", evaluation=tmp_path)
    shutil.copytree(evaluated.path("out"), tmp_path / "out")
    (tmp_path / "out/methods.csv").write_text("method,reference\ngan,corine\n")
    refused(evaluated, "methods.csv", "lacks tiles, blocks", evaluation=tmp_path / "out")
    table = pd.read_csv(evaluated.path("out/methods.csv")).assign(iou="much")
    table.to_csv(tmp_path / "out/methods.csv", index=False)
    refused(evaluated, "methods.csv", "no numbers in iou", evaluation=tmp_path / "out")
    (tmp_path / "out/methods.csv").write_text("")
    refused(evaluated, "methods.csv", "cannot be read", evaluation=tmp_path / "out")
    (tmp_path / "out/provenance.json").write_text('{"wildlens_settings": "targets: [999]"}')
    refused(evaluated, "provenance.json", "999", evaluation=tmp_path / "out")
    refused(evaluated, "training.csv", "cannot be read", metrics=tmp_path)


def test_maps_on_another_grid_or_without_tags_are_refused(evaluated, tmp_path):
    refused(evaluated, "scenes/lake.tif", "has no tags of its scene", maps=[evaluated.scenes[0]])
    small = np.ones((64, 64), np.uint8)
    path = tmp_path / "lake.tif"
    options = {"count": 1, "dtype": "uint8", "nodata": 0, "tags": {}}
    with writing_geotiff(path, grid_at(500_000, small), **options) as dataset:
        dataset.write(small, 1)
    refused(evaluated, "lake.tif", "another grid", landcovers=[path])
    classes = np.full((900, 640), 45, np.uint8)
    with writing_geotiff(path, grid_at(500_000, classes), **options) as dataset:
        dataset.write(classes, 1)
    refused(evaluated, "lake.tif", "holds class 45", landcovers=[path])
