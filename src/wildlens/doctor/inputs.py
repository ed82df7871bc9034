"""Check the inputs of a run as the steps will read them, without converting a pixel."""

import os
from collections.abc import Callable, Iterator, Sized
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from odc.geo.geobox import GeoBox

from wildlens.areas.antimeridian import Bounds
from wildlens.doctor.finding import Finding
from wildlens.errors import WildLensError
from wildlens.files.ground import ground_offset
from wildlens.project.models import check_models, model_sides
from wildlens.registry import methods
from wildlens.registry.record import MethodRecord
from wildlens.settings import Attribution, Product, Settings

NOWHERE = (0.0, 0.0, 0.0, 0.0)  # box in degrees of no scene
SIMULATED = Path("resources/demo")  # output of the rule `demo`


def check_inputs(settings: Settings, folder: Path) -> Iterator[Finding]:
    """Findings about products, models, land cover and areas; `folder`: the working directory."""
    inputs, products = settings.inputs, [*settings.inputs.training, *settings.inputs.mapping]
    if settings.anthroprotect:  # its tiles have labels, and nothing is simulated
        check = partial(_open_anthroprotect, mapping=inputs.mapping)
        yield _finding("AnthroProtect", settings.anthroprotect, folder, check)
        products = [p for p in inputs.mapping if not p.simulated]
    if settings.models:
        yield _check_models(settings)
    grids = []
    for product in products:
        if product.fetch and not (folder / product.paths[0]).exists():
            yield _to_fetch(product, settings.fetch.catalogue)
            if product.fetch.polygons:
                yield _finding("area", product.fetch.polygons, folder, _open_polygons)
            continue
        found, grid = _check_product(product, folder, settings)
        yield from found
        if grid is not None:
            grids.append((product, grid))
    yield from _check_landcovers(products, grids, folder, settings)
    yield from _check_areas(products, grids, folder, settings)


def is_simulated(name: str) -> bool:
    """Whether the demo writes a file of this name."""
    return Path(name).is_relative_to(SIMULATED)


def _check_models(settings: Settings) -> Finding:
    from wildlens.area_statistics.thresholds import read_thresholds
    from wildlens.files.origin import origin_of_models

    try:
        architecture = check_models(settings)
        paths = [settings.models.classifier, settings.models.generators]
        origin = origin_of_models(Path(path) for path in paths if path)
        if settings.models.thresholds:
            read_thresholds(Path(settings.models.thresholds))
    except WildLensError as error:
        return Finding("fix", f"models: {error}")
    return Finding("ok", f"models: {architecture}, {origin}")


def _finding(what: str, name: str, folder: Path, check: Callable[[Path], str]) -> Finding:
    """State of one input: readable, still to be simulated, or to be fixed."""
    path = folder / name
    if not path.exists():
        if is_simulated(name):
            return Finding("ok", f"{what}: will be simulated")
        return Finding("fix", f"{what}: {path} does not exist: fix `inputs`")
    try:
        return Finding("ok", f"{what}: {check(path)}")
    except WildLensError as error:
        return Finding("fix", f"{what}: {error}")


def _check_product(
    product: Product, folder: Path, settings: Settings
) -> tuple[list[Finding], GeoBox | None]:
    """A product as the step `scene` opens it: bands, grid, type of numbers, offset."""
    what = f"product {product.name}"
    paths = [folder / path for path in product.paths]
    missing = [path for path in paths if not path.exists()]
    if missing:
        return [_finding(what, str(path), folder, str) for path in product.paths], None
    from wildlens.scene.step import open_scene

    scl = [folder / path for path in product.scl_paths] or None
    try:
        with ExitStack() as stack:
            # `None`, one offset for all, or one for each
            offset = product.offset
            _, grid = open_scene(paths, settings.scene, offset, product.clip, scl, stack)
    except WildLensError as error:
        return [Finding("fix", f"{what}: {error}")], None
    height, width = grid.shape
    names = ", ".join(path.name for path in paths)
    findings = [Finding("ok", f"{what}: {names}, {width} x {height} px at 10 m")]
    if product in settings.inputs.mapping:
        findings += _check_parts(what, grid, settings)
    return findings, grid


def _check_parts(what: str, grid: GeoBox, settings: Settings) -> list[Finding]:
    """Check that each map of a scene has at least as many strips of rows as `attribution.parts`."""
    attribution = settings.attribution
    try:
        sides = model_sides(settings)
    except WildLensError:
        return []  # the finding about the models names it
    strips = min(
        _strips(methods.find(name), grid, attribution, *sides)
        for name in (*attribution.methods, *attribution.extras)
    )
    if attribution.parts <= strips:
        return []
    return [
        Finding(
            "fix",
            f"{what}: cannot be mapped in {attribution.parts} parts, it has {strips} strips of"
            f" rows: set attribution.parts to {strips} or less",
        )
    ]


def _strips(
    record: MethodRecord, grid: GeoBox, settings: Attribution, tile: int, multiple: int
) -> int:
    """Number of strips of rows in which a method maps a scene, as `map.streaming` plans them."""
    from wildlens.map.windows import halo_pieces, tile_starts

    height, (top, _) = grid.shape[0], ground_offset(grid)
    if record.context == "tile":  # scores overlap by half
        overlap = tile // 2 if record.form == "score" else min(settings.overlap, tile // 2)
        return len(tile_starts(height, tile, overlap, top))
    multiple = multiple if "generators" in record.needs else 1
    options = {"core": settings.window, "halo": 0, "multiple": multiple, "ground": (top, 0)}
    return len(list(halo_pieces(height, 1, **options)))


def _check_landcovers(
    products: list[Product], grids: list[tuple[Product, GeoBox]], folder: Path, settings: Settings
) -> Iterator[Finding]:
    """Each land cover over the scenes that use it."""
    source_of = settings.inputs.landcover_of
    for source in dict.fromkeys(filter(None, map(source_of, products))):
        used = [(p, grid) for p, grid in grids if source_of(p) == source]

        def check(path: Path, used=used) -> str:
            from wildlens.landcover.step import check_landcover

            for product, grid in used:
                check_landcover(path, grid, settings.landcover, f"product {product.name}")
            return f"{path.name}, covers {len(used)} of the scenes that can be opened"

        yield _finding("land cover", source, folder, check if used else _open_landcover)


def _check_areas(
    products: list[Product], grids: list[tuple[Product, GeoBox]], folder: Path, settings: Settings
) -> Iterator[Finding]:
    """Protected areas, and polygons of the user's own, near the scenes that they are used for."""
    from wildlens.areas.criteria import Criteria
    from wildlens.areas.own_polygons import read_own_polygons
    from wildlens.areas.polygons import select_sites, that_count

    areas, own, tiles = settings.inputs.areas, settings.areas, settings.tiles

    def protected(path: Path, bounds: Bounds) -> Sized:
        criteria = Criteria(tiles.categories, tiles.statuses, tiles.realms, tiles.oecm)
        return that_count(select_sites(path, criteria, bounds))

    def polygons(path: Path, bounds: Bounds) -> Sized:
        return read_own_polygons(path, bounds, own.name_column)

    # the demo's are left out where nothing is of the demo, as in the workflow
    if areas and (not is_simulated(areas) or any(p.simulated for p in products)):
        learnt = [] if settings.anthroprotect else settings.inputs.training
        used = learnt or ([] if own.polygons else products)
        ring = 0 if learnt else own.ring_m
        check = partial(_read_near, read=protected, used=used, grids=grids, ring_m=ring)
        yield _finding("protected areas", areas, folder, check if used else _open_polygons)
    if own.polygons:
        check = partial(_read_near, read=polygons, used=products, grids=grids, ring_m=own.ring_m)
        yield _finding("polygons", own.polygons, folder, check)


def _read_near(
    path: Path,
    read: Callable[[Path, Bounds], Sized],
    used: list[Product],
    grids: list[tuple[Product, GeoBox]],
    ring_m: float,
) -> str:
    """Read polygons near scenes; that none is there is only an error if all can be opened."""
    from wildlens.area_statistics.zones import bounds_of_sites
    from wildlens.areas.polygons import NoSites

    near = [grid for product, grid in grids if product in used]
    try:
        found = len(read(path, bounds_of_sites(near, ring_m) if near else NOWHERE))
    except NoSites:
        if len(near) == len(used):
            raise
        found = 0
    return f"{path.name}, {found} near the scenes that can be opened ({len(near)} of {len(used)})"


def _to_fetch(product: Product, catalogue: str) -> Finding:
    """Whether a product can be fetched, as far as known without a request to a server."""
    from wildlens.fetch.tokens import VARIABLES

    required = VARIABLES if catalogue == "cdse" else ()
    missing = [name for name in required if not os.environ.get(name)]
    if missing:
        text = f"{catalogue} requires {' and '.join(missing)} in the environment"
        return Finding("fix", f"product {product.name}: {text}")
    return Finding("ok", f"product {product.name}: will be fetched from {catalogue}")


def _open_anthroprotect(path: Path, mapping: list[Product]) -> str:
    from wildlens.anthroprotect.dataset import find_root, products_to_map

    products_to_map(path, mapping)
    return str(find_root(path))


def _open_landcover(path: Path) -> str:
    from wildlens.files.raster import open_raster
    from wildlens.landcover.corine_vector import SUFFIXES

    if path.suffix.lower() in SUFFIXES:
        return _open_polygons(path)
    with open_raster(path) as dataset:
        return f"{path.name}, {dataset.width} x {dataset.height} px"


def _open_polygons(path: Path) -> str:
    from wildlens.areas.layers import polygon_layers

    layers = polygon_layers(path)
    return f"{path.name}, {len(layers)} layer{'s' * (len(layers) != 1)} of polygons"
