# Summary: the run on one page.
#
# Input: tables, figures, captions, and the logs, times and settings of this run. Output:
# results/summary.html.


import json

ALL_METHODS = [*MAP_METHODS, *EXTRAS]
OF_MAPS = {"scene": MAPPED, "method": ALL_METHODS}
PARTS = settings.attribution.parts
TRAINING_JOBS = {
    "anthroprotect" if settings.anthroprotect else "tiles": {},
    **{step: {} for step in MODEL_STEPS if step != "tiles"},
}
MAP_JOBS = {"scene": MAPPED, "method": with_members(ALL_METHODS)}
COMBINE_JOBS = {
    "combine_attributions/{method}": {"method": [m for m in TILE_METHODS if m in COMBINED]},
    "combine_maps/{scene}/{method}": {
        "scene": MAPPED,
        "method": [m for m in ALL_METHODS if m in COMBINED],
    },
}
# what belongs to this run, for page and console: jobs, which name logs and benchmarks, and their
# results, maps and settings. Files of earlier configurations may be in the same folders
JOBS = {
    **({"demo": {}} if FROM_DEMO else {}),
    "fetch/{scene}": {"scene": TO_FETCH},
    "scene/{scene}": {"scene": list(PRODUCTS)},
    "landcover/{scene}": {"scene": [*TRAINING, *WITH_LANDCOVER]},
    **(TRAINING_JOBS if TRAINS else {}),
    **(
        {"map/{scene}/{method}": MAP_JOBS}
        if PARTS == 1
        else {
            "map/{scene}/{method}/{part}": MAP_JOBS
            | {"part": [f"{k}-of-{PARTS}" for k in range(1, PARTS + 1)]},
            "join/{scene}/{method}": MAP_JOBS,
        }
    ),
    **({"attribute/{method}": {"method": with_members(TILE_METHODS)}} if TRAINS else {}),
    **(COMBINE_JOBS if COMBINED else {}),
    **({"evaluate": {}, "confidence": {}} if TRAINS else {}),
    **({"area_statistics": {}} if STATISTICS_AREAS else {}),
    **({"compare": {}} if COMPARE else {}),
    **{name: {} for name in ("figures", "qgis", "catalogue", "explore")},
}
FILES = [
    os.path.relpath(path, "results")
    for name, wildcards in JOBS.items()
    if not wildcards and "-" not in name  # trainings of further members have no rule of their own
    for path in map(str, getattr(rules, name).output)
    if path.startswith("results/")
]
FILES += ["maps", "summary.html"]
RUN = json.dumps(
    {
        "maps": OF_MAPS,
        "settings": [
            *(["demo"] if FROM_DEMO else []),
            *(["fetch"] if TO_FETCH else []),
            "scene",
            *(["landcover"] if TRAINS or WITH_LANDCOVER else []),
            *(["tiles", "classifier", "gan"] if TRAINS else []),
            *(["members"] if HAS_MEMBERS else []),
            *("attribution", "evaluation"),
            *(["confidence"] if TRAINS else []),
            *(["areas"] if STATISTICS_AREAS else []),
            *(["compare"] if COMPARE else []),
        ],
        "jobs": JOBS,
        "files": FILES,
    }
)


rule summary:
    """Write the run's main numbers, figures, warnings and settings as one page."""
    input:
        tables=ancient(
            [
                rules.evaluate.output.methods,
                rules.evaluate.output.scores,
                rules.evaluate.output.provenance,
                rules.confidence.output.warnings,
                rules.train_classifier.output.accuracy,
            ]
            if TRAINS
            else []
        ),
        changes=ancient(rules.compare.output.table if COMPARE else []),
        areas=ancient(rules.area_statistics.output.table if STATISTICS_AREAS else []),
        figures=ancient(rules.figures.output),
        project=ancient(rules.qgis.output.project),
        catalogue=ancient(rules.catalogue.output.folder),
        explore=ancient(rules.explore.output.page),
        maps=ancient(MAPS),
        captions=ancient(CAPTIONS),
        settings="results/settings/attribution.yaml",
        checksums=[
            *MODEL_CHECKSUMS,
            *EVALUATE_CHECKSUMS,
            *CONFIDENCE_CHECKSUMS,
            rules.figures.output.checksum,
            rules.qgis.output.checksum,
            rules.catalogue.output.checksum,
            rules.explore.output.checksum,
            *MAP_CHECKSUMS,
            *AREA_CHECKSUMS,
            *COMPARE_CHECKSUMS,
        ],
    output:
        page=report(
            "results/summary.html",
            caption="../report/summary.rst",
            category="0 Read this first",
            labels={"what": "The run on one page", "kind": "page"},
        ),
    log:
        "results/logs/summary.log",
    benchmark:
        "results/benchmarks/summary.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code_digest("wildlens.summary.step"),
        contents=contents_of("summary"),
        results=subpath(output.page, parent=True),
        captions=lambda wildcards, input: os.path.dirname(input.captions[0]),
        run=lambda wildcards: RUN,  # a function, since its braces are not wildcards of the rule
    shell:
        "wildlens --log {log:q} summary {params.results:q} --captions {params.captions:q}"
        " --run {params.run:q} --output {output.page:q}"
