# Report: what people see. `snakemake --report report.html` puts it in one file.
#
# Reads everything before it. Gives results/figures/*.png; their captions are in workflow/report.
# results/wildlens.qgz opens all maps in QGIS, results/stac describes them to other programs.


rule figures:
    """Draw the figures."""
    input:
        tiles="results/tiles.zarr",
        classifier_training=rules.classifier.output.training,
        gan_training=rules.gan.output.training,
        classifier="results/models/classifier.safetensors",
        generators="results/models/generators.safetensors",
        attributions=expand("results/attributions/{method}.zarr", method=TILE_METHODS),
        scenes=expand("results/scenes/{scene}.tif", scene=PRODUCTS),
        maps=MAPS,
        landcovers=expand("results/landcover/{scene}.tif", scene=WITH_LANDCOVER),
        methods=rules.evaluate.output.methods,
        classes=rules.evaluate.output.classes,
        evaluation=rules.evaluate.output.provenance,
    output:
        tiles=report(
            "results/figures/tiles.png",
            caption="../report/tiles.rst",
            category="1 The data",
            labels={"what": "Where the tiles lie", "kind": "figure"},
        ),
        training=report(
            "results/figures/training.png",
            caption="../report/training.rst",
            category="2 The classifier",
            labels={"what": "Training curves", "kind": "figure"},
        ),
        examples=report(
            "results/figures/examples.png",
            caption="../report/examples.rst",
            category="3 The explanation",
            labels={"what": "Tiles and what is highlighted in them", "kind": "figure"},
        ),
        overlays=report(
            "results/figures/overlays.png",
            caption="../report/overlays.rst",
            category="3 The explanation",
            labels={"what": "Maps over the image: best, median, worst", "kind": "figure"},
        ),
        map=report(
            "results/figures/map.png",
            caption="../report/map.rst",
            category="3 The explanation",
            labels={"what": "A whole scene", "kind": "figure"},
        ),
        methods=report(
            "results/figures/methods.png",
            caption="../report/methods.rst",
            category="4 How good they are",
            labels={"what": "All methods compared", "kind": "figure"},
        ),
        classes=report(
            "results/figures/classes.png",
            caption="../report/classes.rst",
            category="5 What they highlight",
            labels={"what": "Attribution by land cover", "kind": "figure"},
        ),
    log:
        "results/logs/figures.log",
    benchmark:
        "results/benchmarks/figures.tsv"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code_digest("wildlens.presentation.figures"),
        attributions=lambda wildcards, input: repeated("--attribution", input.attributions),
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        evaluation=subpath(input.methods, parent=True),
        metrics=subpath(input.gan_training, ancestor=2),
        folder=subpath(output.tiles, parent=True),
    shell:
        "wildlens --log {log:q} figures --tiles {input.tiles:q} --classifier {input.classifier:q}"
        " --generators {input.generators:q} {params.attributions:q} {params.scenes:q}"
        " {params.maps:q} {params.landcovers:q} --evaluation {params.evaluation:q}"
        " --metrics {params.metrics:q} --output {params.folder:q}"


rule qgis:
    """Make a QGIS project of all layers, with relative paths, so that the folder can be sent."""
    input:
        scenes=expand("results/scenes/{scene}.tif", scene=PRODUCTS),
        landcovers=expand("results/landcover/{scene}.tif", scene=[*TRAINING, *WITH_LANDCOVER]),
        names=expand("results/landcover/{scene}.tif.aux.xml", scene=[*TRAINING, *WITH_LANDCOVER]),
        maps=[*MAPS, *EXTRA_MAPS],
        footprints="results/tiles.gpkg",
        areas=AREAS,
        settings="results/settings/tiles.yaml",
    output:
        project="results/wildlens.qgz",
        areas=[f"results/areas.{kind}" for kind in ("gpkg", "qml") if AREAS],
        tiles_style="results/tiles.qml",
    log:
        "results/logs/qgis.log",
    benchmark:
        "results/benchmarks/qgis.tsv"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=code_digest("wildlens.presentation.qgis"),
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        areas=repeated("--areas", AREAS),
    shell:
        "wildlens --log {log:q} qgis {params.scenes:q} {params.landcovers:q} {params.maps:q}"
        " --footprints {input.footprints:q} {params.areas:q}"
        " --output {output.project:q} --settings {input.settings:q}"


rule catalogue:
    """Describe all rasters and models as a static STAC catalogue with relative links."""
    input:
        scenes=rules.qgis.input.scenes,
        landcovers=rules.qgis.input.landcovers,
        maps=rules.qgis.input.maps,
        classifier="results/models/classifier.safetensors",
        generators="results/models/generators.safetensors",
        footprints="results/tiles.gpkg",
    output:
        folder=directory("results/stac"),
    log:
        "results/logs/catalogue.log",
    benchmark:
        "results/benchmarks/catalogue.tsv"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=code_digest("wildlens.presentation.catalogue"),
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        maps=lambda wildcards, input: repeated("--map", input.maps),
    shell:
        "wildlens --log {log:q} catalogue {params.scenes:q} {params.landcovers:q} {params.maps:q}"
        " --model {input.classifier:q} --model {input.generators:q}"
        " --footprints {input.footprints:q} --output {output.folder:q}"


rule summary:
    """Put the story of the run, its numbers, warnings and settings into one page."""
    input:
        methods=rules.evaluate.output.methods,
        scores=rules.evaluate.output.scores,
        evaluation=rules.evaluate.output.provenance,
        accuracy=rules.classifier.output.accuracy,
        figures=rules.figures.output,
        project=rules.qgis.output.project,
        catalogue=rules.catalogue.output.folder,
        maps=MAPS,
        captions=CAPTIONS,
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
        code=code_digest("wildlens.presentation.page"),
        results=subpath(output.page, parent=True),
        captions=lambda wildcards, input: os.path.dirname(input.captions[0]),
    shell:
        "wildlens --log {log:q} summary {params.results:q} --captions {params.captions:q}"
        " --output {output.page:q}"
