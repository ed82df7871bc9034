"""Figures of a run: reads tables, maps and tiles, writes PNGs."""

import logging
from collections.abc import Sequence
from pathlib import Path

from wildlens import provenance
from wildlens.evaluate.samples import REFERENCES
from wildlens.evaluate.target_groups import group_title
from wildlens.figures import result_tables
from wildlens.figures.area_scores import draw_areas
from wildlens.figures.class_bars import draw_classes
from wildlens.figures.confidence import draw_filtered, draw_reliability
from wildlens.figures.examples import draw_examples
from wildlens.figures.footprints import draw_tiles, shown_scenes
from wildlens.figures.method_bars import draw_methods
from wildlens.figures.overlays import draw_overlays
from wildlens.figures.scene_data import read_picture, read_scene
from wildlens.figures.scene_maps import SceneView, draw_maps
from wildlens.figures.style import Sheet
from wildlens.figures.tile_data import read_examples, read_footprints, read_origins, read_overlays
from wildlens.figures.training_curves import draw_training
from wildlens.files.map_tags import maps_by_scene, origin_of_maps
from wildlens.files.origin import TAG
from wildlens.tiles.store import class_names, open_tiles

log = logging.getLogger(__name__)

MOST_SCENES = 4  # in one figure
EXAMPLES = "examples.npz"


def draw(
    tiles: Path,
    attributions: Sequence[Path],
    scenes: Sequence[Path],
    maps: Sequence[Path],
    landcovers: Sequence[Path],
    evaluation: Path,
    metrics: Path,
    output: Path,
    areas: Path | None = None,
    confidence: Path | None = None,
) -> None:
    """Draw all figures as PNGs and PDFs into the folder `output`; no network runs.

    Each states below what the models were trained on, and in its metadata the inputs and the
    settings of the evaluation.

    Args:
        tiles: tiles.zarr; attributions: one zarr store per method.
        scenes, landcovers: rasters named by their scene; maps: attribution maps of these scenes.
            Scenes that were not mapped are only drawn below the footprints of their tiles.
        evaluation: folder that `wildlens evaluate` wrote.
        metrics: folder of classifier/training.csv, classifier/accuracy.csv and gan/training.csv.
        areas: area_statistics.csv; None: without its figure.
        confidence: folder that `wildlens confidence` wrote; None: without its figures.
    """
    settings = result_tables.read_settings(evaluation)
    targets = settings.targets
    of_methods, of_tiles, of_classes = (
        result_tables.read_table(evaluation, table)
        for table in (result_tables.METHODS, result_tables.TILES, result_tables.CLASSES)
    )
    references = [name for name in REFERENCES if (of_methods["reference"] == name).any()]
    views = _mapped_scenes(scenes, maps, landcovers)
    footprints, size = read_footprints(tiles)
    shown = shown_scenes(footprints)
    pictures = {path.stem: read_picture(path) for path in scenes if path.stem in shown}
    examples = read_examples(evaluation / EXAMPLES, tiles, attributions, references)
    figures = {
        "examples": draw_examples(*examples, targets),
        "overlays": draw_overlays(*read_overlays(tiles, attributions, of_tiles, targets)),
        "methods": draw_methods(of_methods, group_title(targets)),
        "classes": draw_classes(of_classes, targets),
        "training": draw_training(
            result_tables.read_table(metrics, result_tables.CLASSIFIER),
            result_tables.read_table(metrics, result_tables.GAN),
            result_tables.read_table(metrics, result_tables.ACCURACY),
        ),
        "map": draw_maps(views, targets),
        "tiles": draw_tiles(footprints, size, pictures, class_names(open_tiles(tiles))),
        **_of_confidence(confidence),
        **_of_areas(areas),
    }
    inputs = [tiles, evaluation / EXAMPLES, *attributions, *scenes, *maps, *landcovers]
    record = provenance.record("figures", settings, inputs)
    _save(figures, output, record, read_origins(attributions, maps))


def draw_scenes(
    scenes: Sequence[Path],
    maps: Sequence[Path],
    landcovers: Sequence[Path],
    output: Path,
    areas: Path | None = None,
) -> None:
    """Draw the figures of mapped scenes only, as PNGs and PDFs into the folder `output`.

    Args:
        scenes, landcovers: rasters named by their scene; maps: attribution maps of these scenes.
        areas: area_statistics.csv; None: without its figure.
    """
    figures = {"map": draw_maps(_mapped_scenes(scenes, maps, landcovers), []), **_of_areas(areas)}
    record = provenance.record("figures", None, [*scenes, *maps, *landcovers])
    _save(figures, output, record, origin_of_maps(maps))


def _of_areas(path: Path | None) -> dict[str, Sheet]:
    if path is None:
        return {}
    table = result_tables.read_table(path.parent, result_tables.AREAS, may_be_empty=True)
    return {"areas": draw_areas(table)}


def _of_confidence(folder: Path | None) -> dict[str, Sheet]:
    if folder is None:
        return {}
    reliability, calibration, filtered = (
        result_tables.read_table(folder, table)
        for table in (result_tables.RELIABILITY, result_tables.CALIBRATION, result_tables.FILTERED)
    )
    return {
        "reliability": draw_reliability(reliability, calibration),
        "filtered": draw_filtered(filtered),
    }


def _save(figures: dict[str, Sheet], output: Path, record: dict[str, str], origin: str) -> None:
    record |= {TAG: origin} if origin else {}
    for name, sheet in figures.items():
        sheet.save(output / f"{name}.png", record, f"Models: {origin}." if origin else "")
    log.info("figures: %s -> %s", ", ".join(f"{name}.png" for name in figures), output)


def _mapped_scenes(scenes, maps, landcovers) -> list[SceneView]:
    """The mapped scenes, up to the limit of one figure; the others are named in the log."""
    scene_of, landcover_of = ({path.stem: path for path in paths} for paths in (scenes, landcovers))
    views, left_out = [], []
    for name, by_method in maps_by_scene(maps).items():
        if name in scene_of and len(views) < MOST_SCENES:
            views.append(read_scene(scene_of[name], by_method, landcover_of.get(name)))
        else:
            left_out.append(name)
    if left_out:
        log.info(
            "figures: map.png: left out, not given as --scene or more than %d: %s",
            MOST_SCENES, ", ".join(left_out),
        )  # fmt: skip
    return views
