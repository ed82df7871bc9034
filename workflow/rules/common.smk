# What the rules share: which scenes and methods there are, and where their inputs lie.

import re
from pathlib import Path

from wildlens.provenance import code_digest
from wildlens.registry import classifiers, methods
from wildlens.settings import dump_section

DEMO = "resources/demo/"  # where the demo writes

# with AnthroProtect, the tiles are its own, and nothing that the demo simulates is wanted
if settings.anthroprotect:
    from wildlens.anthroprotect.dataset import find_root, investigative_scenes

    try:
        ANTHROPROTECT = find_root(settings.anthroprotect)
    except WildLensError as error:
        sys.exit(f"wildlens: error: anthroprotect: {error}")
    training = []
    mapping = investigative_scenes(ANTHROPROTECT)
    mapping += [p for p in settings.inputs.mapping if not p.paths[0].startswith(DEMO)]
else:
    training, mapping = settings.inputs.training, settings.inputs.mapping

TRAINING = [product.name for product in training]
MAPPED = [product.name for product in mapping]
PRODUCTS = {product.name: product for product in [*training, *mapping]}
TO_FETCH = [product.name for product in PRODUCTS.values() if product.fetch]

MAP_METHODS = list(dict.fromkeys(settings.attribution.methods))
# tables carry the controls, too: what a method finds must be more than they do
TILE_METHODS = list(dict.fromkeys([*MAP_METHODS, *settings.attribution.controls]))


def landcover_path(scene):
    """The land cover that holds a scene: its own, or the common one; None without either."""
    common = settings.inputs.landcover
    if settings.anthroprotect and common.startswith(DEMO):
        common = None
    return PRODUCTS[scene].landcover or common


# AnthroProtect's tiles come with their labels
AREAS = [] if settings.anthroprotect else [settings.inputs.areas]
WITH_LANDCOVER = [scene for scene in MAPPED if landcover_path(scene)]
MAPS = expand("results/maps/{scene}/{method}.tif", scene=MAPPED, method=MAP_METHODS)
# maps that are no attributions, and so are not compared with land cover
EXTRA_MAPS = expand(
    "results/maps/{scene}/{method}.tif",
    scene=MAPPED,
    method=dict.fromkeys(settings.attribution.extras),
)

CAPTIONS = sorted(Path(str(workflow.current_basedir), "..", "report").resolve().glob("*.rst"))


wildcard_constraints:
    scene="|".join(map(re.escape, PRODUCTS)) or "none",
    method="|".join(methods.records()),


def product_of(wildcards):
    """Paths of a scene's products."""
    return PRODUCTS[wildcards.scene].paths


def polygons_of(wildcards):
    """The file of polygons that a fetched product must cover, if its area is given so."""
    polygons = PRODUCTS[wildcards.scene].fetch.polygons
    return [polygons] if polygons else []


def request_options(wildcards):
    """Options that say which product is fetched for a scene."""
    request = PRODUCTS[wildcards.scene].fetch
    words = []
    for option, value in request.model_dump(mode="json", exclude_none=True).items():
        values = value if isinstance(value, list) else [value]
        words += [f"--{option.replace('_', '-')}", *values]
    return words


def scl_of(wildcards):
    """Scene classifications that are given beside a scene's products."""
    return PRODUCTS[wildcards.scene].scl_paths


def product_options(wildcards):
    """Options for products without metadata of offset or scene classification, and for clips."""
    product = PRODUCTS[wildcards.scene]
    offset = [f"--offset={number}" for number in product.offsets]
    clip = ["--clip", *product.clip] if product.clip else []
    return [*offset, *repeated("--scl", product.scl_paths), *clip]


def landcover_of(wildcards):
    """The land cover that holds a scene."""
    return landcover_path(wildcards.scene)


def generators_of(wildcards):
    """The generators, for methods that use them: others need not run again when they change."""
    used = "generators" in methods.find(wildcards.method).needs
    return ["results/models/generators.safetensors"] if used else []


def training_tiles_of(wildcards):
    """The tiles, for methods that look at training tiles to map a scene."""
    used = "training_tiles" in methods.find(wildcards.method).needs
    return ["results/tiles.zarr"] if used else []


def part_of(wildcards):
    """Which rows of a scene a job maps: all of them, but for jobs that map parts of it."""
    part = wildcards.get("scatteritem")
    return ["--part", part] if part else []


def repeated(option, paths):
    """An option that is given once for each of several paths."""
    return [word for path in paths for word in (option, path)]


def growing(amount):
    """A resource that each further attempt of a job gets more of: twice as much, three times."""
    return lambda wildcards, attempt: amount * attempt


def gpus_of(wildcards):
    """Methods that use no network need no accelerator: they run beside jobs that do."""
    return int(methods.find(wildcards.method).uses_network)


def network_digest(*modules):
    """Digest of the code of a step that runs the classifier: its modules, and the network's."""
    network = classifiers.find(settings.classifier.architecture).module
    return "".join(map(code_digest, [*modules, network]))


def method_digest(*modules):
    """Digest of the code behind one method: the modules that run it, its own, and the network's."""
    return lambda wildcards: network_digest(*modules, methods.find(wildcards.method).module)
