# Figures: images of the report; their captions are in workflow/report.
#
# Input: tiles, attributions, maps and tables; no network runs. Output: results/figures/*.png, and a
# PDF beside each, whose text and lines are sharp at any size. A run that maps with models of another
# one has the figure of the scenes only (scene_figures.smk).


rule figures:
    """Draw the figures of the report."""
    input:
        tiles=ancient("results/tiles.zarr"),
        classifier_training=ancient(rules.train_classifier.output.training),
        gan_training=ancient(rules.train_gan.output.training),
        attributions=ancient(expand("results/attributions/{method}.zarr", method=TILE_METHODS)),
        scenes=ancient(expand("results/scenes/{scene}.tif", scene=PRODUCTS)),
        maps=ancient(MAPS),
        landcovers=ancient(expand("results/landcover/{scene}.tif", scene=WITH_LANDCOVER)),
        methods=ancient(rules.evaluate.output.methods),
        per_tile=ancient(rules.evaluate.output.tiles),
        classes=ancient(rules.evaluate.output.classes),
        examples=ancient(rules.evaluate.output.examples),
        evaluation=ancient(rules.evaluate.output.provenance),
        calibration=ancient(rules.confidence.output.calibration),
        reliability=ancient(rules.confidence.output.reliability),
        filtered=ancient(rules.confidence.output.filtered),
        areas=ancient(AREA_TABLE),
        checksums=[
            *MODEL_CHECKSUMS,
            *ATTRIBUTE_CHECKSUMS,
            *SCENE_CHECKSUMS,
            *MAP_CHECKSUMS,
            *LANDCOVER_CHECKSUMS,
            rules.evaluate.output.checksum,
            rules.confidence.output.checksum,
            *AREA_CHECKSUMS,
        ],
    output:
        tiles=report(
            update("results/figures/tiles.png"),
            caption="../report/tiles.rst",
            category="1 The data",
            labels={"what": "Locations of the tiles", "kind": "figure"},
        ),
        training=report(
            update("results/figures/training.png"),
            caption="../report/training.rst",
            category="2 The classifier",
            labels={"what": "Training curves", "kind": "figure"},
        ),
        examples=report(
            update("results/figures/examples.png"),
            caption="../report/examples.rst",
            category="3 The explanation",
            labels={"what": "Example tiles and their maps", "kind": "figure"},
        ),
        overlays=report(
            update("results/figures/overlays.png"),
            caption="../report/overlays.rst",
            category="3 The explanation",
            labels={"what": "Maps over the image: best, median, worst", "kind": "figure"},
        ),
        map=report(
            update("results/figures/map.png"),
            caption="../report/map.rst",
            category="3 The explanation",
            labels={"what": "A whole scene", "kind": "figure"},
        ),
        methods=report(
            update("results/figures/methods.png"),
            caption="../report/methods.rst",
            category="4 How good they are",
            labels={"what": "All methods compared", "kind": "figure"},
        ),
        classes=report(
            update("results/figures/classes.png"),
            caption="../report/classes.rst",
            category="5 What they highlight",
            labels={"what": "Attribution by land cover", "kind": "figure"},
        ),
        reliability=report(
            update("results/figures/reliability.png"),
            caption="../report/reliability.rst",
            category="2 The classifier",
            labels={"what": "Reliability by score", "kind": "figure"},
        ),
        filtered=report(
            update("results/figures/filtered.png"),
            caption="../report/filtered.rst",
            category="4 How good they are",
            labels={"what": "Maps of the surest tiles", "kind": "figure"},
        ),
        areas=report(
            update(["results/figures/areas.png"] if STATISTICS_AREAS else []),
            caption="../report/areas.rst",
            category="6 Protected areas",
            labels={"what": "Score of each protected area", "kind": "figure"},
        ),
        pdfs=update(
            expand(
                "results/figures/{name}.pdf",
                name=[
                    *("tiles", "training", "examples", "overlays", "map", "methods", "classes"),
                    *("reliability", "filtered"),
                    *(["areas"] if STATISTICS_AREAS else []),
                ],
            )
        ),
        checksum="results/checksums/figures.txt",
    log:
        "results/logs/figures.log",
    benchmark:
        "results/benchmarks/figures.tsv"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code_digest("wildlens.figures.step"),
        contents=contents_of("figures"),
        attributions=lambda wildcards, input: repeated("--attribution", input.attributions),
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        areas=lambda wildcards, input: repeated("--areas", input.areas),
        evaluation=subpath(input.methods, parent=True),
        confidence=subpath(input.calibration, parent=True),
        metrics=subpath(input.gan_training, ancestor=2),
        folder=subpath(output.tiles, parent=True),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} figures --tiles {input.tiles:q}"
        " {params.attributions:q} {params.scenes:q} {params.maps:q} {params.landcovers:q}"
        " --evaluation {params.evaluation:q} --metrics {params.metrics:q}"
        " --confidence {params.confidence:q} {params.areas:q} --output {params.folder:q}"
