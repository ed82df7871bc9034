"""The command line: one thin command per step. Steps are imported only when they are called."""

import glob
import logging
import os
import re
import sys
from contextlib import suppress
from pathlib import Path

import click

from wildlens import __version__
from wildlens.errors import WildLensError
from wildlens.files.environment import use_own_data

# MB of GDAL's block cache; its own default is a share of the machine, more than a job may have
CACHE = "256"
KEPT_LOGS = 5  # attempts whose log is kept

existing = click.Path(exists=True, path_type=Path)
new = click.Path(path_type=Path)
new_file = click.Path(dir_okay=False, path_type=Path)  # a folder of this name is refused


def collect(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Keep the path of a result for --checksum."""
    if path is not None and isinstance(context.obj, list):
        context.obj.append(path)
    return path


def result(*names: str, folder: bool = False, **options):
    """An option that names a result: a file, or a folder."""
    return click.option(*names, type=new if folder else new_file, callback=collect, **options)


output = result("--output", "-o", required=True, help="File to write.")
output_folder = result("--output", "-o", folder=True, required=True, help="Folder to write.")
settings_file = click.option(
    "--settings", type=existing, help="YAML file of this step's section; default: its defaults."
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    envvar="WILDLENS_DEVICE",
    show_envvar=True,
    help="Where networks run. auto: the GPU that this machine or its scheduler gives, if any.",
)


def training(command):
    """Options of a training: it can be interrupted and resumed, and shared by several GPUs."""
    for option in (
        click.option(
            "--workers",
            type=click.IntRange(min=0),
            default=2,
            show_default=True,
            envvar="WILDLENS_WORKERS",
            show_envvar=True,
            help="Threads that prefetch batches; 0: none. The result is the same.",
        ),
        click.option(
            "--processes",
            type=click.IntRange(min=0),
            default=1,
            show_default=True,
            help="Processes that share each batch, each on a GPU of its own; 0: one, without.",
        ),
        click.option(
            "--checkpoint-seconds",
            type=click.FloatRange(min=0),
            default=300,
            show_default=True,
            envvar="WILDLENS_CHECKPOINT_SECONDS",
            show_envvar=True,
            help="Time between two checkpoints; 0: one after every step.",
        ),
        click.option(
            "--checkpoints", type=new, help="Folder of checkpoints, to end at any time and go on."
        ),
    ):
        command = option(command)
    return command


def checkpoints_of(model: Path, folder: Path | None) -> Path | None:
    """Folder of a training's checkpoints: that of a further member (`gan-2`) is one of its own.

    In one folder, two members would reject each other's checkpoints as made with another seed.
    """
    if folder is None or not re.fullmatch(r".+-\d+", model.stem):
        return folder
    return folder / model.stem


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wildlens")
@click.option("--log", type=new, help="File to which log lines are also written.")
@click.option("--checksum", type=new, help="File for a digest of the results, written last.")
@click.pass_context
def cli(context: click.Context, log: Path | None, checksum: Path | None) -> None:
    """Learn from Sentinel-2 imagery what makes protected nature look natural, and map it.

    Every command is a single step of the pipeline, in this order: demo, fetch, scene, landcover,
    tiles, anthroprotect, train-classifier, train-gan, map, join, attribute, combine-attributions,
    combine-maps, evaluate, confidence, area-statistics, compare, figures, qgis, catalogue, explore,
    summary. `snakemake` runs them all; anthroprotect replaces tiles if that dataset is given, the
    two combine members if there are several, and compare runs if two dates are given. `init` makes
    a project in a folder of its own, and `run` runs snakemake there. `doctor` checks for problems
    before a run, `networks` describes the networks.
    """
    use_own_data()
    context.obj = []  # paths of the results
    os.environ.setdefault("GDAL_CACHEMAX", CACHE)
    # Snakemake sets it to a job's threads; GDAL would compress with all cores
    os.environ.setdefault("GDAL_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "ALL_CPUS"))
    rank = os.environ.get("RANK")  # of several processes that train together
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if log is not None and rank in (None, "0"):
        if rank is None:
            start_log(log)
        handlers.append(logging.FileHandler(log, encoding="utf-8"))
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=handlers)
    logging.getLogger("wildlens").setLevel(logging.INFO)
    logging.captureWarnings(True)
    if rank not in (None, "0"):
        logging.disable(logging.WARNING)  # all processes would log the same lines


@cli.result_callback()
@click.pass_obj
def finish(results: list[Path], value, log: Path | None, checksum: Path | None) -> None:
    """Write the checksum and drop the second name of the log, when a command has succeeded."""
    if "RANK" in os.environ:
        return
    if checksum is not None:
        from wildlens.files.atomic import write_text
        from wildlens.provenance import digest

        lines = [f"{digest(path)}  {path.as_posix()}\n" for path in results]
        write_text(checksum, "".join(lines))
    if log is not None:
        drop_second_name(log)


def section(model_name: str, path: Path | None):
    """The settings of a step: its YAML file, or the defaults."""
    from wildlens import settings

    return settings.load_section(getattr(settings, model_name), path)


def remember(output: Path) -> None:
    """Save the digest of a large result: later steps record it without reading the file again."""
    from wildlens import provenance

    provenance.remember(output)


@cli.command()
@output_folder
@settings_file
def demo(output: Path, settings: Path | None) -> None:
    """Simulate a region: Sentinel-2 products, CORINE land cover and protected areas."""
    from wildlens.demo.step import run

    run(section("Demo", settings), output)


@cli.command()
@result("--output", "-o", help="STAC item to write; the bands come beside it.")
@click.option("--box", type=float, nargs=4, help="Area: west, south, east, north in degrees.")
@click.option("--polygons", type=existing, help="Area: file of polygons.")
@click.option("--dates", nargs=2, help="First and last day, YYYY-MM-DD.")
@click.option("--max-cloud", type=float, help="Most cloud cover, %.")
@click.option("--tile", help="Tile of the Sentinel-2 grid, such as 34WDA.")
@click.option("--item", help="Address of one STAC item, instead of a search.")
@click.option("--band", "bands", multiple=True, help="Band, such as B02; default: those of scene.")
@settings_file
@click.option("--list", "only_list", is_flag=True, help="Only list products, one line per tile.")
def fetch(output, bands, settings, only_list, **options) -> None:
    """Search a STAC API for the clearest product of an area, and fetch the bands of the area.

    If interrupted, a second call resumes.
    """
    from wildlens.fetch.step import clearest, fetch_product
    from wildlens.settings import FetchRequest, Scene, validate

    given = {key: value for key, value in options.items() if value is not None}
    if "polygons" in given:
        given["polygons"] = str(given["polygons"])
    request = validate(given, FetchRequest, "fetch")
    bands = validate({"bands": list(bands)}, Scene, "fetch").bands if bands else Scene().bands
    chosen = section("Fetch", settings)
    if only_list:
        click.echo("\n".join(clearest(request, bands, chosen)))
    elif output is None:
        raise click.UsageError("Missing option '--output' / '-o' (or '--list').")
    else:
        fetch_product(output, request, bands, chosen)


@cli.command()
@click.argument("products", type=existing, nargs=-1, required=True)
@output
@settings_file
@click.option(
    "--offset",
    "offsets",
    type=int,
    multiple=True,
    help="DN to add, for products without metadata; once for all, or once for each.",
)
@click.option("--clip", type=float, nargs=4, help="West, south, east, north in degrees.")
@click.option(
    "--scl",
    type=existing,
    multiple=True,
    help="Raster of the scene classification, for products without one; once for each.",
)
def scene(products, output, settings, offsets, clip, scl) -> None:
    """Convert PRODUCTS (SAFE, STAC item, GeoTIFF, band folder) into one scene.

    Several products of one date are merged: the clearest comes first.
    """
    from wildlens.qgis.qml import write_scene_style
    from wildlens.scene.step import build_scene

    chosen = section("Scene", settings)
    offset = offsets[0] if len(offsets) == 1 else offsets or None
    build_scene(products, output, chosen, offset=offset, clip=clip, scl=scl)
    write_scene_style(output, chosen.bands)
    remember(output)


@cli.command()
@click.argument("source", type=existing)
@click.option("--scene", type=existing, required=True, help="The scene whose grid is wanted.")
@output
@settings_file
def landcover(source: Path, scene: Path, output: Path, settings: Path | None) -> None:
    """Resample land cover from SOURCE to the grid of a scene."""
    from wildlens.landcover.step import build_landcover

    build_landcover(source, scene, output, section("Landcover", settings))
    remember(output)


@cli.command()
@click.option("--scene", "scenes", type=existing, multiple=True, required=True)
@click.option("--landcover", "landcovers", type=existing, multiple=True, required=True)
@click.option(
    "--truth",
    "truths",
    type=existing,
    multiple=True,
    help="Reference land cover, of simulated land.",
)
@click.option("--areas", type=existing, required=True, help="Protected areas (WDPA polygons).")
@output_folder
@result("--footprints", required=True, help="GeoPackage of the tiles' outlines.")
@click.option("--sites", type=new, help="CSV of the protected sites, and why some do not count.")
@settings_file
def tiles(scenes, landcovers, truths, areas, output, footprints, sites, settings) -> None:
    """Cut labelled tiles from scenes and split them into training, validation and test.

    Give --scene, --landcover and --truth once for each scene, in the same order.
    """
    from wildlens.tiles.step import build_tiles

    build_tiles(
        scenes, landcovers, truths, areas, output, footprints, section("Tiles", settings), sites
    )  # fmt: skip
    remember(output)


@cli.command()
@click.argument("folder", type=existing)
@output_folder
@result("--footprints", required=True, help="GeoPackage of the tiles' outlines.")
@settings_file
@click.option("--scene-settings", type=existing, help="YAML of `scene`: bands, masked classes.")
@click.option("--landcover-settings", type=existing, help="YAML of `landcover`: the layer.")
def anthroprotect(folder, output, footprints, settings, scene_settings, landcover_settings) -> None:
    """Convert the AnthroProtect dataset in FOLDER to a training set."""
    from wildlens.anthroprotect.step import build_tiles

    build_tiles(
        folder, output, footprints, section("Tiles", settings), section("Scene", scene_settings),
        section("Landcover", landcover_settings),
    )  # fmt: skip
    remember(output)


@cli.command("train-classifier")
@click.argument("tiles", type=existing)
@output
@result("--metrics", folder=True, required=True, help="Folder of the training curves and rates.")
@settings_file
@device
@training
def train_classifier(tiles, output, metrics, settings, processes, **options) -> None:
    """Train the classifier on TILES to distinguish protected from anthropogenic land."""
    from wildlens.networks.allocator import keep_freed_memory
    from wildlens.train_classifier.step import train
    from wildlens.training.launch import launch

    if launch(processes, again):
        return
    keep_freed_memory()
    options["checkpoints"] = checkpoints_of(output, options["checkpoints"])
    train(tiles, output, metrics, section("Classifier", settings), **options)


@cli.command("train-gan")
@click.argument("tiles", type=existing)
@click.option("--classifier", type=existing, required=True)
@output
@result("--metrics", folder=True, required=True, help="Folder of the training curves.")
@settings_file
@device
@training
def train_gan(tiles, classifier, output, metrics, settings, processes, **options) -> None:
    """Train pattern-maximizer and pattern-minimizer through the frozen classifier."""
    from wildlens.networks.allocator import keep_freed_memory
    from wildlens.train_gan.step import train
    from wildlens.training.launch import launch

    if launch(processes, again):
        return
    keep_freed_memory()
    options["checkpoints"] = checkpoints_of(output, options["checkpoints"])
    train(tiles, classifier, output, metrics, section("Gan", settings), **options)


method = click.option("--method", required=True, help="Attribution method; see the settings.")
classifier_file = click.option("--classifier", type=existing, required=True)
generators_file = click.option("--generators", type=existing, help="For the methods that use them.")


@cli.command("map")
@click.argument("scene", type=existing)
@method
@classifier_file
@generators_file
@click.option("--tiles", type=existing, help="For the methods that look at training tiles.")
@output
@settings_file
@device
@click.option("--part", help="Map one of several runs of rows only, such as 2-of-4; see join.")
@click.option(
    "--strips", type=new, help="Folder of finished rows, to resume; default: a hidden one."
)
def map_(scene, method, classifier, generators, tiles, output, settings, device, part, strips):
    """Map a whole SCENE by a method, on its own grid; if interrupted, a second call resumes.

    Methods are the attribution methods, and score, maximized (X+), minimized (X-).
    """
    from wildlens.map.step import map_scene
    from wildlens.qgis.qml import write_map_style
    from wildlens.registry.methods import title

    map_scene(
        scene, method, classifier, generators, output, section("Attribution", settings), device,
        tiles, part, strips,
    )  # fmt: skip
    if part is None:
        write_map_style(output, title(method))
        remember(output)


@cli.command()
@click.argument("parts", type=existing, nargs=-1, required=True)
@method
@output
def join(parts, method, output) -> None:
    """Join the PARTS of a scene's map, which map --part made."""
    from wildlens.map.step import join as run
    from wildlens.qgis.qml import write_map_style
    from wildlens.registry.methods import title

    run(parts, output)
    write_map_style(output, title(method))
    remember(output)


@cli.command()
@click.argument("tiles", type=existing)
@method
@classifier_file
@generators_file
@output_folder
@settings_file
@device
def attribute(tiles, method, classifier, generators, output, settings, device) -> None:
    """Attribute the protected validation and test tiles of TILES."""
    from wildlens.attribute.step import attribute_tiles
    from wildlens.networks.allocator import keep_freed_memory

    keep_freed_memory()
    attribute_tiles(
        tiles, method, classifier, generators, output, section("Attribution", settings), device
    )  # fmt: skip
    remember(output)


@cli.command("combine-attributions")
@click.argument("members", type=existing, nargs=-1, required=True)
@click.option("--tiles", type=existing, required=True, help="The training set.")
@output_folder
@result("--thresholds", required=True, help="CSV of each member's threshold.")
@click.option("--settings", type=existing, help="YAML of `evaluation`: the target group.")
def combine_attributions(members, tiles, output, thresholds, settings) -> None:
    """Combine attributions of tiles of several MEMBERS, trainings of other seeds, by one method.

    Mean, standard deviation, and the share of members that call a pixel high.
    """
    from wildlens.combine.attributions import combine_attributions as run

    run(members, tiles, output, thresholds, section("Evaluation", settings))
    remember(output)


@cli.command("combine-maps")
@click.argument("members", type=existing, nargs=-1, required=True)
@click.option("--thresholds", type=existing, help="CSV of combine-attributions; for agreement.")
@output
def combine_maps(members, thresholds, output) -> None:
    """Combine maps of a scene of several MEMBERS, trainings of other seeds, by one method.

    Mean, standard deviation, and the share of members that call a pixel high.
    """
    from wildlens.combine.maps import combine_maps as run
    from wildlens.qgis.qml import write_map_style
    from wildlens.registry.methods import title

    method = run(members, output, thresholds)
    write_map_style(output, title(method))
    remember(output)


@cli.command()
@click.argument("tiles", type=existing)
@classifier_file
@click.option("--generators", type=existing, required=True)
@click.option("--attribution", "attributions", type=existing, multiple=True, required=True)
@click.option("--map", "maps", type=existing, multiple=True, help="Maps of whole scenes.")
@click.option("--landcover", "landcovers", type=existing, multiple=True, help="Of these scenes.")
@click.option(
    "--truth",
    "truths",
    type=(str, existing),
    multiple=True,
    help="Name of a scene, and its reference land cover.",
)
@output_folder
@settings_file
@device
def evaluate(
    tiles, classifier, generators, attributions, maps, landcovers, truths, output, settings, device
) -> None:
    """Compare attributions with land cover, and test their faithfulness: tables (CSV)."""
    from wildlens.evaluate.step import evaluate as run

    run(
        tiles, classifier, generators, attributions, maps, landcovers, output,
        section("Evaluation", settings), device, dict(truths),
    )  # fmt: skip


@cli.command()
@click.argument("tiles", type=existing)
@click.option(
    "--classifier",
    "classifiers",
    type=existing,
    multiple=True,
    required=True,
    help="Classifier; once for each member, the first one first.",
)
@click.option("--attribution", "attributions", type=existing, multiple=True, required=True)
@click.option("--areas", type=existing, help="Protected areas, for their IUCN categories.")
@output_folder
@settings_file
@click.option("--evaluation-settings", type=existing, help="YAML of `evaluation`: the targets.")
@click.option("--tiles-settings", type=existing, help="YAML of `tiles`: which areas count.")
@device
def confidence(
    tiles, classifiers, attributions, areas, output, settings, evaluation_settings, tiles_settings,
    device,
) -> None:  # fmt: skip
    """Measure the classifier's confidence, and compare maps where it is high or low: tables (CSV).

    Several classifiers are members: trainings of other seeds.
    """
    from wildlens.confidence.step import measure_confidence

    measure_confidence(
        tiles, classifiers, attributions, output, section("Confidence", settings),
        section("Evaluation", evaluation_settings), device, areas,
        section("Tiles", tiles_settings),
    )  # fmt: skip


@cli.command("area-statistics")
@click.argument("areas", type=existing)
@click.option("--map", "maps", type=existing, multiple=True, help="Score and attribution maps.")
@click.option("--landcover", "landcovers", type=existing, multiple=True, help="Of these scenes.")
@click.option("--scene", "scenes", type=existing, multiple=True, help="Further ground to show.")
@click.option("--thresholds", type=existing, help="methods.csv that evaluate wrote.")
@output
@result("--classes", required=True, help="CSV by land-cover class.")
@result("--geopackage", required=True, help="The sites with their numbers as attributes.")
@settings_file
@click.option("--tiles-settings", type=existing, help="YAML of `tiles`: which areas count.")
def area_statistics(settings: Path | None, tiles_settings: Path | None, **paths) -> None:
    """Compute statistics of maps and land cover for each protected area in AREAS: tables (CSV)."""
    from wildlens.area_statistics.step import build_statistics

    build_statistics(
        **paths, settings=section("Areas", settings), tiles=section("Tiles", tiles_settings)
    )


change_maps = click.option(
    "--change", "changes", type=existing, multiple=True, help="Maps of the change, of compare."
)


@cli.command()
@click.option("--map", "maps", type=existing, multiple=True, help="Maps of all scenes compared.")
@click.option("--areas", type=existing, help="Protected areas; without any, no table of them.")
@output_folder
@click.option("--settings", type=existing, required=True, help="YAML file of `compare`.")
@click.option("--areas-settings", type=existing, help="YAML of `areas`: the ring around them.")
@click.option("--tiles-settings", type=existing, help="YAML of `tiles`: which areas count.")
def compare(maps, areas, output, settings, areas_settings, tiles_settings) -> None:
    """Map the change between two dates, and find protected areas that change beyond the noise.

    The settings name the scenes: before, after. The output is a folder.
    """
    from wildlens.compare.step import compare_dates
    from wildlens.qgis.qml import write_change_style
    from wildlens.registry.methods import title

    changes = compare_dates(
        maps, areas, output, section("Compare", settings), section("Areas", areas_settings),
        section("Tiles", tiles_settings),
    )  # fmt: skip
    for path in changes:
        write_change_style(path, f"Change of {title(path.stem)}")
        remember(path)


@cli.command()
@click.option("--tiles", type=existing)
@click.option("--attribution", "attributions", type=existing, multiple=True)
@click.option("--scene", "scenes", type=existing, multiple=True, help="Scenes, named by file.")
@click.option("--map", "maps", type=existing, multiple=True, help="Maps of whole scenes.")
@click.option("--landcover", "landcovers", type=existing, multiple=True, help="Of these scenes.")
@click.option("--evaluation", type=existing, help="Folder that evaluate wrote.")
@click.option("--metrics", type=existing, help="Folder of both trainings' curves.")
@click.option("--confidence", type=existing, help="Folder that confidence wrote.")
@click.option("--areas", type=existing, help="area_statistics.csv of area-statistics.")
@output_folder
def figures(
    tiles, attributions, scenes, maps, landcovers, evaluation, metrics, confidence, areas, output
):
    """Draw the figures of the report, from tables and maps; no network runs.

    Without tiles, attributions, evaluation and metrics, only that of the mapped scenes.
    """
    from wildlens.figures.step import draw, draw_scenes

    of_training = [tiles, attributions, evaluation, metrics]
    if not any(of_training):
        draw_scenes(scenes, maps, landcovers, output, areas)
    elif all(of_training):
        draw(
            tiles, attributions, scenes, maps, landcovers, evaluation, metrics, output, areas,
            confidence,
        )  # fmt: skip
    else:
        raise WildLensError(
            "figures: --tiles, --attribution, --evaluation and --metrics belong together: give all"
            " of them, or none"
        )


@cli.command()
@click.option("--scene", "scenes", type=existing, multiple=True, required=True)
@click.option("--landcover", "landcovers", type=existing, multiple=True, help="Of these scenes.")
@click.option("--map", "maps", type=existing, multiple=True, help="In folders named by scene.")
@click.option("--footprints", type=existing, help="GeoPackage of the tiles.")
@click.option("--areas", type=existing, help="Protected areas that area-statistics wrote.")
@change_maps
@output
@click.option("--settings", type=existing, help="YAML file of the section tiles.")
def qgis(scenes, landcovers, maps, footprints, areas, changes, output, settings) -> None:
    """Write a QGIS project of all results; its folder can be zipped and sent."""
    from wildlens.qgis.step import build_project

    build_project(
        scenes, landcovers, maps, footprints, areas, output, section("Tiles", settings), changes
    )  # fmt: skip


@cli.command()
@click.option("--scene", "scenes", type=existing, multiple=True, required=True)
@click.option("--landcover", "landcovers", type=existing, multiple=True, help="Of these scenes.")
@click.option("--map", "maps", type=existing, multiple=True, help="In folders named by scene.")
@click.option("--model", "models", type=existing, multiple=True, help="Classifier, generators.")
@click.option("--footprints", type=existing, help="GeoPackage of the tiles.")
@change_maps
@output_folder
def catalogue(**paths) -> None:
    """Describe the results as a static STAC catalogue with relative links, in a folder."""
    from wildlens.catalogue.step import build_catalogue

    build_catalogue(**paths)


@cli.command()
@click.option("--scene", "scenes", type=existing, multiple=True, help="Reflectance of the maps.")
@click.option("--landcover", "landcovers", type=existing, multiple=True, help="Of these scenes.")
@click.option("--map", "maps", type=existing, multiple=True, help="Maps of these scenes.")
@click.option("--areas", type=existing, help="Protected areas that area-statistics wrote.")
@change_maps
@output
@click.option("--settings", type=existing, help="YAML file of the section evaluation.")
def explore(scenes, landcovers, maps, areas, changes, output, settings) -> None:
    """Write a page to explore the maps: linked panels, values under the pointer, thresholds."""
    from wildlens.explore.step import build_page

    build_page(
        scenes, landcovers, maps, areas, output, section("Evaluation", settings), changes
    )  # fmt: skip


@cli.command()
@click.argument("results", type=existing)
@result("--output", "-o", help="HTML page to write; default: print to the console.")
@click.option("--captions", type=existing, help="Folder of the captions (.rst).")
@click.option(
    "--run",
    "declared",
    help="JSON of the maps, jobs, files and settings that belong to the run, as the workflow passes"
    " it; default: all that RESULTS holds.",
)
def summary(
    results: Path, output: Path | None, captions: Path | None, declared: str | None
) -> None:
    """Print a run's results, main numbers, warnings and computing time; or write them as a page."""
    from wildlens.summary.digest import as_text, read_summary
    from wildlens.summary.run import parse_run

    run = None if declared is None else parse_run(declared)
    if output is None:
        click.echo(as_text(read_summary(results, run)))
        return
    from wildlens.summary.step import write_page

    write_page(results, captions, output, run)


configurations = click.option(
    "--config",
    "configurations",
    type=existing,
    multiple=True,
    help="Configuration that overrides config.yaml; later ones override earlier ones.",
)


def layers_of_configuration(given: tuple[Path, ...]) -> list[Path]:
    """config.yaml of the working directory, if there is one, and the files that override it."""
    default = Path("config.yaml")
    return [default] * default.is_file() + [path for path in given if path != default]


@cli.command()
@configurations
@click.option("--csv", "table", type=new, help="Also write the layers as a table.")
def networks(configurations: tuple[Path, ...], table: Path | None) -> None:
    """List the layers of the networks, their receptive fields, and the memory of training."""
    from wildlens.doctor.step import read_configuration
    from wildlens.files.tables import write_table
    from wildlens.training_memory import as_rows, as_text, measure

    found, steps = measure(read_configuration(layers_of_configuration(configurations)))
    click.echo(as_text(found, steps))
    if table is not None:
        write_table(table, as_rows(found))


@cli.command()
@configurations
def doctor(configurations: tuple[Path, ...]) -> None:
    """Check machine, libraries, settings, inputs and disk, and list what to fix."""
    from wildlens.doctor.step import examine

    findings = list(examine(layers_of_configuration(configurations), Path()))
    for finding in findings:
        click.echo(f"{finding.state:<5} {finding.text}")
    problems = sum(finding.state == "fix" for finding in findings)
    if problems:
        raise WildLensError(f"doctor: {problems} to fix, see above")


@cli.command()
@click.argument("folder", type=new)
@click.option(
    "--models",
    "results",
    type=existing,
    help="Results folder of another run, whose models map the scenes; default: train.",
)
@click.option("--product", "products", type=existing, multiple=True, help="Product to map.")
@click.option("--landcover", type=existing, help="Land cover (CORINE).")
@click.option("--areas", type=existing, help="Protected areas (WDPA).")
def init(folder: Path, **inputs) -> None:
    """Make a project in FOLDER: a short configuration to fill in, and a Snakefile."""
    from wildlens.project.init import init as run

    missing = run(folder, **inputs)
    before = f"fill in {missing} path{'s' * (missing > 1)}, then " if missing else "ready: "
    click.echo(f"{folder / 'config.yaml'}: {before}`wildlens run` in {folder}")


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(arguments: tuple[str, ...]) -> None:
    """Run the workflow with the config.yaml of the working directory.

    ARGUMENTS go to snakemake: -n lists the jobs, --cores 4 limits the cores, --profile NAME runs on
    a cluster.
    """
    from wildlens.project.command import command, run_workflow

    sys.exit(run_workflow(command(Path(), arguments)))


def start_log(log: Path) -> None:
    """Create an empty log with a second name, since a workflow removes it before another attempt.

    The logs of the last failed attempts are kept as LOG.1, LOG.2, ...
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    before = attempts(log)
    number = int(before[-1].suffix[1:]) + 1 if before else 1
    kept = log.with_name(f"{log.name}.{number}")
    kept.write_text("")
    try:
        log.hardlink_to(kept)
    except OSError:  # a file system without hard links
        kept.rename(log)
    for path in before[: -KEPT_LOGS + 1]:
        path.unlink(missing_ok=True)


def drop_second_name(log: Path) -> None:
    """Remove the second name of a log, if it has one: some file systems have no hard links."""
    for path in attempts(log):
        with suppress(FileNotFoundError):  # the log itself may have been removed
            if path.samefile(log):
                path.unlink()


def attempts(log: Path) -> list[Path]:
    """Logs of attempts that have not succeeded, the current one included, oldest first."""
    found = [path for path in log.parent.glob(f"{glob.escape(log.name)}.*")]
    found = [path for path in found if path.suffix[1:].isdecimal()]
    return sorted(found, key=lambda path: int(path.suffix[1:]))


def again() -> None:
    """Run this command line again in one of several processes; errors are raised."""
    cli(standalone_mode=False)


def main() -> None:
    """Entry point: errors that a user can fix are one line and exit status 1, without traceback.

    Unexpected errors are logged with their traceback, so that the --log file has it.
    """
    log = logging.getLogger("wildlens")
    try:
        cli()
    except WildLensError as error:
        log.error("wildlens: error: %s", error)
        sys.exit(error.exit_status)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        log.critical("wildlens: unexpected error, please report it: %s", reason, exc_info=True)
        sys.exit(1)
