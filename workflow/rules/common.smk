# Helpers of the rules: names of scenes and methods, and paths of their inputs.

import functools
import itertools
import re
from pathlib import Path

from snakemake.io import apply_wildcards

from wildlens.files.contents import Contents, read_along
from wildlens.provenance import code_digest
from wildlens.registry import classifiers, methods
from wildlens.run.configuration import dump_configuration
from wildlens.settings import (
    DEMO,
    classifier_of,
    dump_members,
    dump_section,
    fields_read,
    members_of,
    of_member,
)

# AnthroProtect brings its own tiles: inputs that the demo would simulate are ignored
if settings.anthroprotect:
    from wildlens.anthroprotect.dataset import find_root, products_to_map

    try:
        ANTHROPROTECT = find_root(settings.anthroprotect)
        mapping = products_to_map(ANTHROPROTECT, settings.inputs.mapping)
    except WildLensError as error:
        sys.exit(f"wildlens: error: anthroprotect: {error}")
    training = []
else:
    training, mapping = settings.inputs.training, settings.inputs.mapping

ARCHITECTURE = settings.classifier.architecture
if settings.models:
    from wildlens.project.models import check_models

    try:
        ARCHITECTURE = check_models(settings)
    except WildLensError as error:
        sys.exit(f"wildlens: error: {error}")

# trained by this run, or by another one: then no rule makes tiles, models or tables
TRAINS = settings.models is None
CLASSIFIER = "results/models/classifier.safetensors" if TRAINS else settings.models.classifier
GENERATORS = "results/models/generators.safetensors" if TRAINS else settings.models.generators

TRAINING = [product.name for product in training]
MAPPED = [product.name for product in mapping]
PRODUCTS = {product.name: product for product in [*training, *mapping]}
TO_FETCH = [product.name for product in PRODUCTS.values() if product.fetch]

MAP_METHODS = list(dict.fromkeys(settings.attribution.methods))
# tables include the controls, which a method must exceed
TILE_METHODS = list(dict.fromkeys([*MAP_METHODS, *settings.attribution.controls]))
EXTRAS = list(dict.fromkeys(settings.attribution.extras))

# Members: trainings of other seeds. The first has the names that a single training has, so that a
# further member retrains none. Of methods with several, the members' results are combined.
FURTHER_CLASSIFIERS = list(range(2, settings.classifier.members + 1))
FURTHER_GANS = list(range(2, settings.gan.members + 1))
HAS_MEMBERS = bool(FURTHER_CLASSIFIERS or FURTHER_GANS)
COMBINED = [
    method for method in dict.fromkeys([*TILE_METHODS, *EXTRAS]) if members_of(method, settings) > 1
]
COMBINED_ATTRIBUTIONS = [method for method in TILE_METHODS if method in COMBINED]


FROM_DEMO = any(product.simulated for product in PRODUCTS.values())


def landcover_path(scene):
    """Land cover of a scene; None without any."""
    return settings.inputs.landcover_of(PRODUCTS[scene])


# Decision about reruns. Modification times are unreliable: opening an input in a GIS changes one,
# and copying a folder changes all of them. Therefore rules compare contents:
# - a result is an `ancient` input; beside it, the rule reads the checksum (results/checksums) that
#   the job of the result wrote: a small file, which Snakemake compares by content;
# - `contents_of` is a digest of all other inputs of a rule, kept with the parameters of each result;
#   wherever they lie, also among the results.
# Outputs are marked `update`, so that Snakemake restores the old result if a job fails. It then
# forgets the job's parameters, but the checksum is not marked and is removed: the job runs again.
CONTENTS = Contents(Path(".snakemake/wildlens-contents.json"))

# without any, or with those of a demo that is not used, there are no statistics of them
AREAS = [settings.inputs.areas] if settings.inputs.areas else []
AREAS = [path for path in AREAS if FROM_DEMO or not path.startswith(DEMO)]
# that statistics are of
STATISTICS_AREAS = [settings.areas.polygons] if settings.areas.polygons else AREAS
# of the training scenes; AnthroProtect has none
AREAS_OF_TILES = AREAS if TRAINS and not settings.anthroprotect else []
WITH_LANDCOVER = [scene for scene in MAPPED if landcover_path(scene)]
MAPS = expand("results/maps/{scene}/{method}.tif", scene=MAPPED, method=MAP_METHODS)
# maps that are not attributions, and therefore not compared with land cover
EXTRA_MAPS = expand(
    "results/maps/{scene}/{method}.tif",
    scene=MAPPED,
    method=EXTRAS,
)

TRUTHS = {product.name: product.truth for product in mapping if product.truth}

MODELS = [
    *[path for path in (CLASSIFIER, GENERATORS) if path],
    *expand("results/models/classifier-{member}.safetensors", member=FURTHER_CLASSIFIERS),
    *expand("results/models/generators-{member}.safetensors", member=FURTHER_GANS),
]
# of all members, the first one first
CLASSIFIERS = [
    CLASSIFIER,
    *expand("results/models/classifier-{member}.safetensors", member=FURTHER_CLASSIFIERS),
]
CLASSIFIER_CHECKSUMS = [
    "results/checksums/tiles.txt",
    "results/checksums/train_classifier.txt",
    *expand("results/checksums/train_classifier-{member}.txt", member=FURTHER_CLASSIFIERS),
]
MODEL_STEPS = ("tiles", "train_classifier", "train_gan") if TRAINS else ()
MODEL_STEPS += tuple(expand("train_classifier-{member}", member=FURTHER_CLASSIFIERS))
MODEL_STEPS += tuple(expand("train_gan-{member}", member=FURTHER_GANS))
MODEL_CHECKSUMS = [f"results/checksums/{step}.txt" for step in MODEL_STEPS]
TILES_CHECKSUMS = ["results/checksums/tiles.txt"] if TRAINS else []
FOOTPRINTS = ["results/tiles.gpkg"] if TRAINS else []
SCENE_CHECKSUMS = expand("results/checksums/scene/{scene}.txt", scene=PRODUCTS)
LANDCOVER_CHECKSUMS = expand("results/checksums/landcover/{scene}.txt", scene=WITH_LANDCOVER)
ATTRIBUTE_CHECKSUMS = expand("results/checksums/attribute/{method}.txt", method=TILE_METHODS)
MAP_CHECKSUMS = expand(
    "results/checksums/map/{scene}/{method}.txt", scene=MAPPED, method=MAP_METHODS
)
EXTRA_MAP_CHECKSUMS = expand(
    "results/checksums/map/{scene}/{method}.txt",
    scene=MAPPED,
    method=EXTRAS,
)

# thresholds of high attribution
THRESHOLDS = [
    path
    for path in ["results/evaluation/methods.csv" if TRAINS else settings.models.thresholds]
    if path
]
EVALUATE_CHECKSUMS = ["results/checksums/evaluate.txt"] if TRAINS else []
CONFIDENCE_CHECKSUMS = ["results/checksums/confidence.txt"] if TRAINS else []

AREA_TABLE = ["results/area_statistics.csv"] if STATISTICS_AREAS else []
AREAS_WITH_STATISTICS = ["results/areas.gpkg"] if STATISTICS_AREAS else []
AREA_CHECKSUMS = ["results/checksums/area_statistics.txt"] if STATISTICS_AREAS else []

# two dates that are compared, and pairs of dates that tell what no change looks like
COMPARE = settings.compare
COMPARED_METHODS = [
    method
    for method in dict.fromkeys([*EXTRAS, *MAP_METHODS])
    if COMPARE and methods.find(method).form != "image"
]
COMPARED_SCENES = dict.fromkeys(
    [COMPARE.before, COMPARE.after, *(name for pair in COMPARE.unchanged for name in pair)]
    if COMPARE
    else []
)
COMPARED_MAPS = expand(
    "results/maps/{scene}/{method}.tif", scene=COMPARED_SCENES, method=COMPARED_METHODS
)
COMPARED_CHECKSUMS = expand(
    "results/checksums/map/{scene}/{method}.txt", scene=COMPARED_SCENES, method=COMPARED_METHODS
)
TWO_DATES = {"before": COMPARE.before, "after": COMPARE.after} if COMPARE else {}
# the change of the score has its own name, whichever method gives the score
CHANGED = ["score" if methods.find(m).form == "score" else m for m in COMPARED_METHODS]
COMPARE_CHECKSUMS = ["results/checksums/compare.txt"] if COMPARE else []

CAPTIONS = sorted(Path(str(workflow.current_basedir), "..", "report").resolve().glob("*.rst"))


wildcard_constraints:
    scene="|".join(map(re.escape, PRODUCTS)) or "none",
    method="|".join(methods.records()),
    member="[1-9][0-9]*",


def contents_of(rule):
    """Digest of the inputs of a rule's jobs, except results, whose checksums are read instead."""

    def digest(wildcards):
        paths = []
        for item in getattr(rules, rule).input:
            found = item(wildcards) if callable(item) else apply_wildcards(item, wildcards)
            paths += [found] if isinstance(found, (str, Path)) else found
        return CONTENTS.digest(path for path in map(str, paths) if not is_result(path))

    return digest


@functools.cache  # asked while jobs are planned, when all rules are known
def is_result(path):
    """Whether a path is a result of this run with its own checksum, and no input among results."""
    small = ("results/checksums/", "results/settings/", "results/maps/parts/")
    return path.startswith("results/") and not path.startswith(small) and is_made(path)


def is_made(path):
    """Whether a rule of this run, or of a workflow around it, makes a path."""
    return any(rule.is_producer(path) for rule in workflow.rules)


def given(*paths):
    """Inputs, compared by content, or by time if a rule of another workflow makes them."""
    return [
        path if is_made(path) and not path.startswith(DEMO) else ancient(path) for path in paths
    ]


def beside(*paths):
    """Sidecars of inputs, which are read together with them."""
    return [ancient(str(file)) for path in paths for file in read_along(Path(path))]


def demo_checksum(*paths):
    """The checksum of the demo, if it makes one of the paths."""
    return ["results/checksums/demo.txt"] if any(p.startswith(DEMO) for p in paths) else []


def product_of(wildcards):
    """Paths of a scene's products."""
    product = PRODUCTS[wildcards.scene]
    return product.paths if product.fetch else given(*product.paths)


def product_sidecars_of(wildcards):
    """Sidecars of a scene's products."""
    return beside(*PRODUCTS[wildcards.scene].paths)


def scene_checksums_of(wildcards):
    """Checksum of the demo, for products that it makes."""
    return demo_checksum(*PRODUCTS[wildcards.scene].paths)


def polygons_of(wildcards):
    """The file of polygons that a fetched product must cover, if the area is given as polygons."""
    polygons = PRODUCTS[wildcards.scene].fetch.polygons
    return given(polygons) if polygons else []


def request_options(wildcards):
    """Command-line options of the product to fetch for a scene."""
    request = PRODUCTS[wildcards.scene].fetch
    words = []
    for option, value in request.model_dump(mode="json", exclude_none=True).items():
        values = value if isinstance(value, list) else [value]
        words += [f"--{option.replace('_', '-')}", *values]
    return words


def scl_of(wildcards):
    """Scene classifications that are given in addition to a scene's products."""
    return given(*PRODUCTS[wildcards.scene].scl_paths)


def product_options(wildcards):
    """Options for products without metadata of offset or scene classification, and for clips."""
    product = PRODUCTS[wildcards.scene]
    offset = [f"--offset={number}" for number in product.offsets]
    clip = ["--clip", *product.clip] if product.clip else []
    return [*offset, *repeated("--scl", product.scl_paths), *clip]


def landcover_of(wildcards):
    """Land cover of a scene."""
    return given(landcover_path(wildcards.scene))


def landcover_sidecars_of(wildcards):
    """Sidecars of land cover, such as the table of its classes."""
    return beside(landcover_path(wildcards.scene))


def landcover_checksums_of(wildcards):
    """Checksums of a scene, and of the demo for land cover that it makes."""
    scene = f"results/checksums/scene/{wildcards.scene}.txt"
    return [scene, *demo_checksum(landcover_path(wildcards.scene))]


def areas_of(wildcards):
    """The protected areas."""
    return given(*AREAS)


def areas_sidecars_of(wildcards):
    """Sidecars of protected areas, such as the other files of a shapefile."""
    return beside(*AREAS)


def areas_of_tiles(wildcards):
    """The protected areas of the training tiles, if the tiles were labelled by them."""
    return given(*AREAS_OF_TILES)


def areas_of_tiles_sidecars(wildcards):
    """Sidecars of these areas."""
    return beside(*AREAS_OF_TILES)


def truths_of(wildcards):
    """Reference land cover of the training scenes; for simulated land only."""
    return given(*(product.truth for product in training if product.truth))


def truths_of_maps(wildcards):
    """Reference land cover of the mapped scenes; for simulated land only."""
    return given(*TRUTHS.values())


def tile_checksums_of(wildcards):
    """Checksums of the inputs of the tiles."""
    found = expand(
        "results/checksums/{step}/{scene}.txt", step=["scene", "landcover"], scene=TRAINING
    )
    return [*found, *demo_checksum(*AREAS, *(p.truth for p in training if p.truth))]


def member_of(wildcards):
    """Number of the member that a job is of; 1 for jobs without members."""
    return int(wildcards.get("member", 1))


def of_number(path, member):
    """A path of models or checksums for a member: the first has the name of a single training."""
    stem, suffix = os.path.splitext(path)
    return path if member == 1 else f"{stem}-{member}{suffix}"


def classifier_file_of(wildcards):
    """The classifier of a member."""
    return ancient(of_number(CLASSIFIER, classifier_of(member_of(wildcards), settings)))


def generators_of(wildcards):
    """The generators, for methods that use them; other methods do not rerun when they change."""
    used = "generators" in methods.find(wildcards.method).needs
    return [ancient(of_number(GENERATORS, member_of(wildcards)))] if used else []


def training_tiles_of(wildcards):
    """The tiles, for methods that use training tiles to map a scene."""
    used = "training_tiles" in methods.find(wildcards.method).needs
    return [ancient("results/tiles.zarr")] if used else []


def method_checksums(method, member):
    """Checksums of the models and tiles of this run that a method uses for a member."""
    if not TRAINS:
        return []
    needs = methods.find(method).needs
    numbers = {"train_classifier": classifier_of(member, settings)}
    numbers |= {"train_gan": member} if "generators" in needs else {}
    numbers |= {"tiles": 1} if "training_tiles" in needs else {}
    return [of_number(f"results/checksums/{step}.txt", k) for step, k in numbers.items()]


def map_checksums_of(wildcards):
    """Checksums of the inputs of a method's map of a scene."""
    models = method_checksums(wildcards.method, member_of(wildcards))
    return [f"results/checksums/scene/{wildcards.scene}.txt", *models]


def attribute_checksums_of(wildcards):
    """Checksums of the inputs of a method's attribution of tiles."""
    models = method_checksums(wildcards.method, member_of(wildcards))
    return list(dict.fromkeys(["results/checksums/tiles.txt", *models]))


def training_checksums_of(wildcards):
    """Checksums of the inputs of a member's generators."""
    number = classifier_of(member_of(wildcards), settings)
    classifier = of_number("results/checksums/train_classifier.txt", number)
    return ["results/checksums/tiles.txt", classifier]


def numbers_of(wildcards):
    """Numbers of the members whose results by a method are combined."""
    return range(1, members_of(wildcards.method, settings) + 1)


def members_attributions_of(wildcards):
    """The members' attributions of tiles by a method."""
    pattern = "results/attributions/members/{method}-{member}.zarr"
    return ancient(expand(pattern, method=wildcards.method, member=numbers_of(wildcards)))


def members_attributions_checksums_of(wildcards):
    """Checksums of the tiles, and of the members' attributions of them."""
    pattern = "results/checksums/attribute/{method}-{member}.txt"
    found = expand(pattern, method=wildcards.method, member=numbers_of(wildcards))
    return ["results/checksums/tiles.txt", *found]


def members_maps_of(wildcards):
    """The members' maps of a scene by a method."""
    pattern = "results/maps/members/{scene}/{method}-{member}.tif"
    return ancient(expand(pattern, **wildcards, member=numbers_of(wildcards)))


def members_thresholds_of(wildcards):
    """Thresholds of the members, for methods whose tiles are attributed; compared by content."""
    known = wildcards.method in TILE_METHODS
    return [f"results/metrics/members/{wildcards.method}.csv"] if known else []


def members_maps_checksums_of(wildcards):
    """Checksums of all that the members' maps of a scene are made of."""
    models = [method_checksums(wildcards.method, k) for k in numbers_of(wildcards)]
    scene = f"results/checksums/scene/{wildcards.scene}.txt"
    return list(dict.fromkeys([scene, *itertools.chain(*models)]))


def with_members(names):
    """Methods as their logs are named: those with several members once for each."""
    return [
        f"{name}/member-{k}" if name in COMBINED else name
        for name in names
        for k in range(1, members_of(name, settings) + 1)
    ]


def part_of(wildcards):
    """Option of the rows of a scene that a job maps; all rows without it."""
    part = wildcards.get("scatteritem")
    return ["--part", part] if part else []


def strips_of(wildcards):
    """Folder of a map's finished strips; of a member or a part, one within that folder."""
    within = filter(None, map(wildcards.get, ("member", "scatteritem")))
    return str(Path(f"results/maps/{wildcards.scene}/.{wildcards.method}.strips", *within))


def repeated(option, paths):
    """A command-line option, repeated for each path."""
    return [word for path in paths for word in (option, path)]


def growing(amount):
    """A resource of a job that grows with its attempts: twice the amount, three times, ..."""
    return lambda wildcards, attempt: amount * attempt


def gpus_of(wildcards):
    """Number of GPUs of a method: 0 if it uses no network, so that it runs beside GPU jobs."""
    return int(methods.find(wildcards.method).uses_network)


def network_digest(*modules):
    """Digest of the code of a step that runs the classifier: its modules, and the classifier's."""
    network = classifiers.find(ARCHITECTURE).module
    return "".join(map(code_digest, [*modules, network]))


def section_text(wildcards):
    """A section of the configuration, or all of it, as YAML."""
    if wildcards.section == "configuration":
        return dump_configuration(settings)
    if wildcards.section == "members":
        return dump_members(settings)
    if wildcards.section == "combine":
        # thresholds depend on these alone: other values must not make all maps anew
        return dump_section(settings.evaluation, ["targets"])
    return dump_section(getattr(settings, wildcards.section))


def member_settings_text(wildcards):
    """The section of a training for a member, which has another seed, as YAML."""
    return dump_section(of_member(getattr(settings, wildcards.section), member_of(wildcards)))


def method_settings_text(wildcards):
    """The attribution settings that a method reads in a step, as YAML."""
    fields = fields_read(wildcards.method, wildcards.step)
    return dump_section(settings.attribution, fields)


def method_digest(*modules):
    """Digest of the code of one method: the modules that run it, its own, and the classifier's."""
    return lambda wildcards: network_digest(*modules, methods.find(wildcards.method).module)
