# What the rules share: which scenes and methods there are, and where their inputs lie.

import re
from pathlib import Path

from wildlens.provenance import code_digest
from wildlens.settings import METHODS, dump_section

TRAINING = [product.name for product in settings.inputs.training]
MAPPED = [product.name for product in settings.inputs.mapping]
PRODUCTS = {p.name: p for p in [*settings.inputs.training, *settings.inputs.mapping]}

MAP_METHODS = list(dict.fromkeys(settings.attribution.methods))
# the two controls are evaluated always: what a method finds must be more than brightness and chance
TILE_METHODS = list(dict.fromkeys([*MAP_METHODS, "brightness", "random"]))
GENERATOR_METHODS = ["gan", "minimizer"]

MAPS = expand("results/maps/{scene}/{method}.tif", scene=MAPPED, method=MAP_METHODS)

CAPTIONS = sorted(Path(workflow.basedir, "report").glob("*.rst"))


wildcard_constraints:
    scene="|".join(map(re.escape, PRODUCTS)),
    method="|".join(METHODS),


def product_of(wildcards):
    """Path of a scene's product."""
    return PRODUCTS[wildcards.scene].product


def offset_of(wildcards):
    """Option for a product whose metadata does not say its offset; else nothing."""
    offset = PRODUCTS[wildcards.scene].offset
    return [] if offset is None else f"--offset={offset}"


def landcover_of(wildcards):
    """The land cover that holds a scene: its own, or the common one."""
    return PRODUCTS[wildcards.scene].landcover or settings.inputs.landcover


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
