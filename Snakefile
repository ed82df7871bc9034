# WildLens: from Sentinel-2 products to maps of what makes protected nature look natural.
#
# Reads what config.yaml names: products, land cover, protected areas (the demo makes its own).
# Gives results/maps (one map a scene and method), results/evaluation (tables), results/figures.
#
# A step stands three times under one name: as a rule in workflow/rules, as a command
# (`wildlens --help`), and as a module in src/wildlens. Commands that ran are printed.

import os
import shutil
import sys

from snakemake.utils import min_version

from wildlens.errors import WildLensError
from wildlens.settings import validate

min_version("9.0")


# of the folder that Snakemake runs in; without one there, the demo's
configfile: "config.yaml" if os.path.exists("config.yaml") else workflow.source_path("config.yaml")


# before any rule is read, so that a typo is one line and not a trace through the workflow
try:
    settings = validate(config)
except WildLensError as error:
    sys.exit(f"wildlens: error: {error}")


# jobs call `wildlens` by name: where its environment is not activated, it lies beside this Python
if shutil.which("wildlens") is None:
    beside = os.path.dirname(sys.executable)
    os.environ.update(PATH=os.pathsep.join([*os.get_exec_path(), beside]))


report: "workflow/report/workflow.rst"


# only read with --sdm apptainer: an image must hold Python and, installed in it, this package
container: "docker://python:3.11"


include: "workflow/rules/common.smk"
include: "workflow/rules/settings.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/fetch.smk"
include: "workflow/rules/scene.smk"
include: "workflow/rules/landcover.smk"
include: "workflow/rules/anthroprotect.smk" if settings.anthroprotect else "workflow/rules/tiles.smk"
include: "workflow/rules/train_classifier.smk"
include: "workflow/rules/train_gan.smk"
include: "workflow/rules/map.smk"
include: "workflow/rules/attribute.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/qgis.smk"
include: "workflow/rules/catalogue.smk"
include: "workflow/rules/summary.smk"


rule all:
    default_target: True
    input:
        MAPS,
        EXTRA_MAPS,
        rules.evaluate.output,
        rules.figures.output,
        rules.qgis.output,
        rules.catalogue.output,
        rules.summary.output,


# results, main numbers and warnings of this run; printed only, so it cannot fail the run
onsuccess:
    shell("wildlens summary results --run {RUN:q} || true")
