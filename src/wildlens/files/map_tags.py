"""Tags of maps: scene, method and form; of the map of a change, both scenes and the method."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wildlens.errors import WildLensError
from wildlens.files.origin import TAG
from wildlens.files.raster import open_raster
from wildlens.registry import methods
from wildlens.registry.record import Form

# of the map of a change: its two scenes, and the method whose maps were subtracted
BEFORE, AFTER, CHANGE_OF = "wildlens_before", "wildlens_after", "wildlens_change_of"


def maps_by_scene(paths: Iterable[Path]) -> dict[str, dict[str, Path]]:
    """Scene -> method -> map, in the order in which they first appear.

    Raises:
        WildLensError: a file without the tags of a map, or two maps of one scene and method.
    """
    found: dict[str, dict[str, Path]] = {}
    for path in paths:
        with open_raster(path) as dataset:
            tags = dataset.tags()
        try:
            scene, method = tags["wildlens_scene"], tags["wildlens_method"]
        except KeyError as error:
            raise WildLensError(
                f"{path}: has no tags of its scene and method: it has no tag {error}; give a map of"
                " `wildlens map`"
            ) from None
        others = found.setdefault(scene, {})
        if method in others:
            raise WildLensError(
                f"{path}: a second map of scene '{scene}' by '{method}' beside {others[method]};"
                " give one"
            )
        others[method] = path
    return found


def changes_by_pair(paths: Iterable[Path]) -> dict[tuple[str, str], dict[str, Path]]:
    """(Scene before, scene after) -> method -> map of the change, in their order.

    Raises:
        WildLensError: a file without the tags of such a map.
    """
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for path in paths:
        with open_raster(path) as dataset:
            tags = dataset.tags()
        if missing := [name for name in (BEFORE, AFTER, CHANGE_OF) if name not in tags]:
            raise WildLensError(
                f"{path}: is no map of a change: it has no tag {missing[0]}; give one of `wildlens"
                " compare`"
            )
        found.setdefault((tags[BEFORE], tags[AFTER]), {})[tags[CHANGE_OF]] = path
    return found


def tags_of(paths: Iterable[Path], name: str) -> list[str]:
    """The different values of a tag of maps; maps without it, or that are damaged, are skipped."""
    found = {}
    for path in paths:
        with suppress(WildLensError), open_raster(path) as dataset:
            found[dataset.tags().get(name)] = None
    return [value for value in found if value]


def origin_of_maps(paths: Iterable[Path]) -> str:
    """What the models of maps were trained on, in words; empty if no map states it."""
    return "; ".join(tags_of(paths, TAG))


def form_of_map(path: Path) -> Form:
    """Whether a map holds an attribution, a score or an image."""
    with open_raster(path) as dataset:
        return methods.form_of(dataset.tags(), path.stem, dataset.dtypes[0])
