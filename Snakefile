# WildLens: from Sentinel-2 products to maps of what makes protected nature look natural.
#
# Reads what config.yaml names: products, land cover, protected areas (the demo makes its own).
# Gives results/maps (one map per scene and method), results/evaluation (tables), results/figures.
#
# Each step has one name, as a rule in workflow/rules, as a command (`wildlens --help`) and as a
# folder in src/wildlens. The commands of jobs are in .snakemake/log; they can be copied and run alone.

import os
import shutil
import sys
from pathlib import Path

from snakemake.utils import min_version

from wildlens.errors import WildLensError
from wildlens.settings import read_yaml, validate

min_version("9.0")


# the one in the working directory or, without one there, the demo's
configfile: "config.yaml" if os.path.exists("config.yaml") else workflow.source_path("config.yaml")


# before any rule is read, so that a mistake is one line and not a trace through the workflow
try:
    # Snakemake keeps one of two equal keys without a word
    for path in [*workflow.configfiles, *workflow.overwrite_configfiles]:
        read_yaml(path)
    settings = validate(config)
except WildLensError as error:
    sys.exit(f"wildlens: error: {error}")


# jobs call `wildlens` by name: the one beside this Python, whatever else is on PATH
environment = os.path.dirname(sys.executable)
if shutil.which("wildlens", path=environment):
    os.environ.update(PATH=os.pathsep.join([environment, *os.get_exec_path()]))
elif shutil.which("wildlens") is None:
    sys.exit(
        f"wildlens: error: command wildlens is not in {environment}: install the package there"
    )

# a killed Snakemake leaves copies of the outputs of its jobs, over which the next one stumbles
if workflow.is_main_process and not any(Path(".snakemake/locks").glob("*")):
    shutil.rmtree(".snakemake/backup", ignore_errors=True)


report: "workflow/report/workflow.rst"


# only read with --sdm apptainer; envs/Dockerfile says how to build it
container: os.path.join(str(workflow.current_basedir), "envs/wildlens.sif")


include: "workflow/rules/common.smk"
include: "workflow/rules/settings.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/scene.smk"
include: "workflow/rules/landcover.smk"


if TRAINS:

    include: "workflow/rules/anthroprotect.smk" if settings.anthroprotect else "workflow/rules/tiles.smk"
    include: "workflow/rules/train_classifier.smk"
    include: "workflow/rules/train_gan.smk"
    include: "workflow/rules/attribute.smk"


include: "workflow/rules/map.smk"


if HAS_MEMBERS:

    include: "workflow/rules/members.smk"


if COMBINED:

    include: "workflow/rules/combine.smk"


if TRAINS:

    include: "workflow/rules/evaluate.smk"
    include: "workflow/rules/confidence.smk"


include: "workflow/rules/area_statistics.smk"


if COMPARE:

    include: "workflow/rules/compare.smk"


include: "workflow/rules/figures.smk" if TRAINS else "workflow/rules/scene_figures.smk"
include: "workflow/rules/qgis.smk"
include: "workflow/rules/catalogue.smk"
include: "workflow/rules/explore.smk"
include: "workflow/rules/summary.smk"


rule all:
    default_target: True
    input:
        MAPS,
        EXTRA_MAPS,
        rules.evaluate.output if TRAINS else [],
        rules.confidence.output if TRAINS else [],
        rules.area_statistics.output if STATISTICS_AREAS else [],
        rules.compare.output if COMPARE else [],
        rules.figures.output,
        rules.qgis.output,
        rules.catalogue.output,
        rules.explore.output,
        rules.summary.output,
        # no rule has these as input: `wildlens.open_run` and the summary read them
        "results/settings/configuration.yaml",
        "results/settings/members.yaml" if HAS_MEMBERS else [],


# results, main numbers and warnings of this run; printed only, so it cannot fail the run
onsuccess:
    shell("wildlens summary results --run {RUN:q} || true")
