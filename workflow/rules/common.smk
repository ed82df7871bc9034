# What the rules share: which scenes and methods there are, and where their inputs lie.

import re
from pathlib import Path

from wildlens.provenance import code_digest
from wildlens.settings import METHODS, dump_section

DEMO = "resources/demo/"  # where the demo writes

# with AnthroProtect, the tiles are its own, and nothing that the demo simulates is wanted
if settings.anthroprotect:
    from wildlens.sources.anthroprotect import find_root, investigative_scenes

    try:
        ANTHROPROTECT = find_root(settings.anthroprotect)
    except WildLensError as error:
        sys.exit(f"wildlens: error: anthroprotect: {error}")
    training = []
    mapping = investigative_scenes(ANTHROPROTECT)
    mapping += [p for p in settings.inputs.mapping if not p.product.startswith(DEMO)]
else:
    training, mapping = settings.inputs.training, settings.inputs.mapping

TRAINING = [product.name for product in training]
MAPPED = [product.name for product in mapping]
PRODUCTS = {product.name: product for product in [*training, *mapping]}

MAP_METHODS = list(dict.fromkeys(settings.attribution.methods))
# the two controls are evaluated always: what a method finds must be more than brightness and chance
TILE_METHODS = list(dict.fromkeys([*MAP_METHODS, "brightness", "random"]))
GENERATOR_METHODS = ["gan", "minimizer"]


def landcover_path(scene):
    """The land cover that holds a scene: its own, or the common one; None without either."""
    common = settings.inputs.landcover
    if settings.anthroprotect and common.startswith(DEMO):
        common = None
    return PRODUCTS[scene].landcover or common


WITH_LANDCOVER = [scene for scene in MAPPED if landcover_path(scene)]
MAPS = expand("results/maps/{scene}/{method}.tif", scene=MAPPED, method=MAP_METHODS)


wildcard_constraints:
    scene="|".join(map(re.escape, PRODUCTS)) or "none",
    method="|".join(METHODS),


def product_of(wildcards):
    """Path of a scene's product."""
    return PRODUCTS[wildcards.scene].product


def reading_of(wildcards):
    """Options for a product whose metadata does not say its offset, or that is clipped."""
    product = PRODUCTS[wildcards.scene]
    offset = [] if product.offset is None else [f"--offset={product.offset}"]
    return [*offset, *(["--clip", *product.clip] if product.clip else [])]


def landcover_of(wildcards):
    """The land cover that holds a scene."""
    return landcover_path(wildcards.scene)


def generators_of(wildcards):
    """The generators, for methods that use them: others need not run again when they change."""
    used = wildcards.method in GENERATOR_METHODS
    return ["results/models/generators.safetensors"] if used else []


def repeated(option, paths):
    """An option that is given once for each of several paths."""
    return [word for path in paths for word in (option, path)]


def method_digest(*modules):
    """Digest of the code behind one method: of the modules that run it, and of its own."""
    own = "wildlens.attribution.{}".format
    return lambda wildcards: "".join(map(code_digest, [*modules, own(wildcards.method)]))
