"""One QGIS project of all results, with relative paths, so that the folder can be sent."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyogrio
from pyproj import CRS

from wildlens.areas.antimeridian import DEGREES, Bounds, bounding_box
from wildlens.areas.polygons import TERMS
from wildlens.errors import WildLensError
from wildlens.files import vector
from wildlens.files.map_tags import changes_by_pair, origin_of_maps, tags_of
from wildlens.files.origin import TAG, WARNING_TAG
from wildlens.files.raster import open_raster, read_grid
from wildlens.landcover.class_counts import count_classes
from wildlens.qgis import agreement
from wildlens.qgis.layouts import layouts_of
from wildlens.qgis.project_xml import Extent, Group, Layer, layers_of, write_project
from wildlens.qgis.qml import landcover_renderer, scene_renderer, write_vector_style
from wildlens.qgis.ramps import attribution_renderer, change_renderer
from wildlens.qgis.symbols import areas_labels, areas_renderer, tiles_renderer
from wildlens.qgis.themes import AGREEMENT, CHANGE, presets, themes_of
from wildlens.registry import methods
from wildlens.settings import Tiles

log = logging.getLogger(__name__)

NOTE = (
    "Made by WildLens. High attribution marks where the classifier's score for protected nature"
    " comes from; each method has its own unit, so compare locations, not methods."
)
CHANGE_NOTE = (
    "areas.csv beside it has the mean change of each protected area and its noise: what two dates"
    " differ by without a change."
)
AREAS_NOTE = (
    "Protected areas that count, by the mean score of the part that mapped scenes cover (attribute"
    f" covered_share). {TERMS}"
)


def build_project(
    scenes: Sequence[Path],
    landcovers: Sequence[Path],
    maps: Sequence[Path],
    footprints: Path | None,
    areas: Path | None,
    output: Path,
    settings: Tiles,
    changes: Sequence[Path] = (),
) -> None:
    """Write the project, and the styles of the vector layers.

    Args:
        scenes, landcovers: rasters named by their scene.
        maps: rasters on the grid of a scene, in a folder of its name: attribution maps, and images
            such as X+ and X-.
        footprints: GeoPackage of the tiles; areas: the one that area-statistics wrote.
        output: `.qgz`; sources are relative to its folder.
        settings: classes of the tiles.
        changes: maps of the change between two scenes.
    """
    if not scenes:
        raise WildLensError(f"{output}: needs at least one scene to show (--scene)")
    folder = output.parent
    landcover_of = {path.stem: path for path in landcovers}
    maps_of: dict[str, list[Path]] = {}
    for path in maps:
        maps_of.setdefault(path.parent.name, []).append(path)
    # mapped scenes first, since their maps are the main result
    ordered = sorted(scenes, key=lambda path: path.stem not in maps_of)
    members: list[Layer | Group] = []
    if footprints is not None:
        members.append(_footprints(footprints, folder, settings))
    if areas is not None:
        members.append(_areas(areas, folder))
    members += [_changes(names, found, folder) for names, found in changes_by_pair(changes).items()]
    for number, path in enumerate(ordered):
        name = path.stem
        members.append(
            _scene(path, maps_of.get(name, []), landcover_of.get(name), folder, number == 0)
        )
    layers = list(layers_of(members))
    crs, extent = _place(ordered[0])
    origin = origin_of_maps(maps)
    title = f"WildLens: {', '.join(path.stem for path in ordered)}"
    themes = themes_of(layers)
    of_scenes = {name: found for name, found in themes.items() if name not in (CHANGE, AGREEMENT)}
    notes = [NOTE, f"Models: {origin}."] if origin else [NOTE]
    warnings = [f"Warning: {warning}." for warning in tags_of(maps, WARNING_TAG)]
    write_project(
        output,
        f"{title}; models: {origin}" if origin else title,
        members,
        crs,
        extent,
        " ".join([*notes, *warnings]),
        presets(themes),
        layouts_of(of_scenes, ordered[0].stem, [*notes, *warnings], extent, crs.is_projected),
    )
    outside = [layer.source for layer in layers if layer.source.startswith("../")]
    if outside:
        log.warning(
            "qgis: WARNING: %s is outside the project's folder and missing if only that is sent",
            ", ".join(outside),
        )
    log.info("qgis: %d layers of %d scenes -> %s", len(layers), len(scenes), output)


def _of_models(tags: Mapping[str, str]) -> str:
    """What the models of a map were trained on, and the warning about its scene, if any."""
    models = f" Models: {tags[TAG]}." if TAG in tags else ""
    return models + (f" Warning: {tags[WARNING_TAG]}." if WARNING_TAG in tags else "")


def _scene(
    path: Path, maps: Sequence[Path], landcover: Path | None, folder: Path, first: bool
) -> Group:
    """Group of all layers of one scene: attribution over images over land cover."""
    attributions, scores, images = _split_maps(maps, folder)
    members: list[Layer | Group] = [*scores]
    if views := _views(maps, attributions, folder):
        members.append(Group("Agreement of members", views, expanded=False, one_at_a_time=True))
    if attributions:
        members.append(Group("Attribution", attributions, one_at_a_time=True))
    with open_raster(path) as dataset:
        bands = [name or f"band {i}" for i, name in enumerate(dataset.descriptions, start=1)]
    crs, extent = _place(path)
    members.append(Group("Images", [
        *images,
        Layer(
            "X (true colour)", _relative(path, folder), crs, extent, scene_renderer(bands),
            shown=True, note="Reflectance x 10000; transparent for no data and clouds.",
            kind="image",
        ),
    ]))  # fmt: skip
    if landcover is not None:
        members.append(Layer(
            "Land cover (CORINE)", _relative(landcover, folder), *_place(landcover),
            landcover_renderer((np.flatnonzero(count_classes(landcover)[1:]) + 1).tolist()),
            note="CORINE has a minimum mapping unit of 25 ha and omits small bogs and rocks.",
            kind="land cover",
        ))  # fmt: skip
    return Group(path.stem, members, expanded=first)


def _split_maps(maps: Sequence[Path], folder: Path) -> tuple[list[Layer], list[Layer], list[Layer]]:
    """Layers of attribution maps in the order of the methods, of score maps, and of images."""
    attributions, scores, images = {}, [], []
    for path in maps:
        with open_raster(path) as dataset:
            tags, bands = dataset.tags(), list(dataset.descriptions)
            form = methods.form_of(tags, path.stem, dataset.dtypes[0])
        place, source = _place(path), _relative(path, folder)
        method = tags.get("wildlens_method", path.stem)
        title = methods.title(method)
        if form == "image":
            note = f"Reflectance x 10000.{_of_models(tags)}"
            images.append(Layer(title, source, *place, scene_renderer(bands), note=note))
            continue
        unit = f"Unit: {tags.get('unit', 'unknown')}. {tags.get('sign', '')}."
        renderer = attribution_renderer(path)
        if form == "score":
            note = "Score of the tiles around a pixel, 0 anthropogenic, 1 natural."
            note = f"{unit} {note}{_of_models(tags)}"
            scores.append(Layer(title, source, *place, renderer, note=note))
            continue
        attributions[method] = Layer(
            title, source, *place, renderer, note=f"{unit} {NOTE}{_of_models(tags)}",
            kind="attribution",
        )  # fmt: skip
    ordered = sorted(attributions, key=methods.position)
    # the project opens on the first: the paper's map, where it was made
    layers = [
        replace(attributions[method], shown=not number, expanded=not number)
        for number, method in enumerate(ordered)
    ]
    return layers, scores, images


def _views(maps: Sequence[Path], attributions: Sequence[Layer], folder: Path) -> list[Layer]:
    """Layers of the attributions of several members, opaque where these agree; hidden."""
    paths = {_relative(path, folder): path for path in maps}
    return [
        replace(
            layer,
            title=f"{layer.title}, opaque where members agree",
            source=_relative(agreement.write_view(path), folder),
            renderer=agreement.agreement_renderer(path),
            shown=False,
            expanded=False,
            note=f"{agreement.NOTE} {layer.note}",
            kind="agreement",
        )
        for layer in attributions
        if agreement.has_agreement(path := paths[layer.source])
    ]


def _changes(names: tuple[str, str], maps: Mapping[str, Path], folder: Path) -> Group:
    """Group of the maps of the change between two scenes; hidden when the project opens."""
    layers = []
    for method, path in maps.items():
        with open_raster(path) as dataset:
            tags = dataset.tags()
        note = f"Unit: {tags.get('unit', 'unknown')}. {tags.get('sign', '')}. {CHANGE_NOTE}"
        layers.append(Layer(
            methods.title(method), _relative(path, folder), *_place(path), change_renderer(path),
            note=f"{note}{_of_models(tags)}", kind="change",
        ))  # fmt: skip
    return Group(f"Change from {names[0]} to {names[1]}", layers, expanded=False)


def _footprints(path: Path, folder: Path, settings: Tiles) -> Layer:
    renderer = tiles_renderer(settings.classes)
    write_vector_style(renderer, path)
    source = vector.gdal_source(path)
    (name, _), *_ = vector.list_layers(path, source)
    tiles = vector.read(pyogrio.read_dataframe, path, source, layer=name, columns=[])
    extent = _extent(bounding_box(tiles.geometry.to_crs(DEGREES)))
    return Layer(
        "Tiles: label and split", f"{_relative(path, folder)}|layername={name}",
        CRS.from_user_input(DEGREES), extent, renderer, shown=True,
        note="Outlines of the tiles with label, split, and the reason of the label.",
    )  # fmt: skip


def _areas(path: Path, folder: Path) -> Layer:
    """Layer of the protected areas, by their mean score."""
    source = vector.gdal_source(path)
    (name, _), *_ = vector.list_layers(path, source)
    areas = vector.read(pyogrio.read_dataframe, path, source, layer=name)
    if "score_mean" not in areas:
        raise WildLensError(f"{path}: has no column score_mean; make it with area-statistics")
    renderer, labels = areas_renderer(), areas_labels()
    write_vector_style(renderer, path, labels)
    extent = _extent(bounding_box(areas.geometry)) if len(areas) else (-180.0, -90.0, 180.0, 90.0)
    return Layer(
        "Protected areas: mean score", f"{_relative(path, folder)}|layername={name}",
        CRS.from_user_input(areas.crs), extent, renderer, shown=True, note=AREAS_NOTE,
        labels=labels, kind="areas",
    )  # fmt: skip


def _extent(bounds: Bounds) -> Extent:
    """A box in degrees for QGIS, whose extents reach beyond 180 degrees, not back to -180."""
    west, south, east, north = bounds
    return west, south, east + 360 * (east < west), north


def _place(path: Path) -> tuple[CRS, Extent]:
    """Reference system and extent of a raster."""
    grid = read_grid(path)
    return CRS.from_wkt(grid.crs.to_wkt()), tuple(grid.boundingbox)


def _relative(path: Path, folder: Path) -> str:
    """Path from the project's folder as QGIS writes it."""
    relative = Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    return relative if relative.startswith("../") else f"./{relative}"
