# Evaluate: compare high attribution with land cover, and test generators and faithfulness.
#
# Input: tiles, models, attributions, maps and land cover. Output: results/evaluation with tables
# and the example tiles with their generated images that the figures show.


rule evaluate:
    """Compare the attributions of all methods with land cover."""
    input:
        tiles=ancient("results/tiles.zarr"),
        classifier=ancient("results/models/classifier.safetensors"),
        generators=ancient("results/models/generators.safetensors"),
        attributions=ancient(expand("results/attributions/{method}.zarr", method=TILE_METHODS)),
        maps=ancient(MAPS),
        landcovers=ancient(expand("results/landcover/{scene}.tif", scene=WITH_LANDCOVER)),
        truths=truths_of_maps,
        settings="results/settings/evaluation.yaml",
        checksums=[
            *MODEL_CHECKSUMS,
            *ATTRIBUTE_CHECKSUMS,
            *MAP_CHECKSUMS,
            *LANDCOVER_CHECKSUMS,
            *demo_checksum(*TRUTHS.values()),
        ],
    output:
        methods=report(
            update("results/evaluation/methods.csv"),
            caption="../report/methods_table.rst",
            category="4 How good they are",
            labels={"what": "All methods compared", "kind": "table"},
        ),
        rules=report(
            update("results/evaluation/rules.csv"),
            caption="../report/rules.rst",
            category="4 How good they are",
            labels={"what": "Other rules for high attribution", "kind": "table"},
        ),
        groups=report(
            update("results/evaluation/groups.csv"),
            caption="../report/groups.rst",
            category="4 How good they are",
            labels={"what": "Other groups of classes", "kind": "table"},
        ),
        tiles=report(
            update("results/evaluation/tiles.csv"),
            caption="../report/tiles_table.rst",
            category="4 How good they are",
            labels={"what": "Per-tile metrics", "kind": "table"},
        ),
        differences=report(
            update("results/evaluation/differences.csv"),
            caption="../report/differences.rst",
            category="4 How good they are",
            labels={"what": "Differences between methods", "kind": "table"},
        ),
        faithfulness=report(
            update("results/evaluation/faithfulness.csv"),
            caption="../report/faithfulness.rst",
            category="4 How good they are",
            labels={"what": "Faithfulness to the classifier", "kind": "table"},
        ),
        scenes=report(
            update("results/evaluation/scenes.csv"),
            caption="../report/scenes_table.rst",
            category="4 How good they are",
            labels={"what": "Mapped scenes compared", "kind": "table"},
        ),
        completeness=report(
            update("results/evaluation/completeness.csv"),
            caption="../report/completeness.rst",
            category="4 How good they are",
            labels={"what": "Completeness of contributions", "kind": "table"},
        ),
        classes=report(
            update("results/evaluation/classes.csv"),
            caption="../report/classes_table.rst",
            category="5 What they highlight",
            labels={"what": "Attribution by land cover", "kind": "table"},
        ),
        scores=report(
            update("results/evaluation/scores.csv"),
            caption="../report/scores.rst",
            category="2 The classifier",
            labels={"what": "Scores of images and generated images", "kind": "table"},
        ),
        texture=report(
            update("results/evaluation/texture.csv"),
            caption="../report/texture.rst",
            category="3 The explanation",
            labels={"what": "Periodic texture", "kind": "table"},
        ),
        examples=update("results/evaluation/examples.npz"),
        warnings=report(
            update("results/evaluation/warnings.txt"),
            caption="../report/warnings.rst",
            category="4 How good they are",
            labels={"what": "Warnings", "kind": "text"},
        ),
        provenance=update("results/evaluation/provenance.json"),
        checksum="results/checksums/evaluate.txt",
    log:
        "results/logs/evaluate.log",
    benchmark:
        "results/benchmarks/evaluate.tsv"
    threads: 4
    resources:
        mem_mb=growing(6000),
        runtime=growing(240),
        gpu=1,  # classifier and generators run on the test tiles
    params:
        code=network_digest("wildlens.evaluate.step"),
        contents=contents_of("evaluate"),
        attributions=lambda wildcards, input: repeated("--attribution", input.attributions),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        truths=[word for scene in TRUTHS for word in ("--truth", scene, TRUTHS[scene])],
        folder=subpath(output.methods, parent=True),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} evaluate {input.tiles:q}"
        " --classifier {input.classifier:q} --generators {input.generators:q}"
        " {params.attributions:q} {params.maps:q} {params.landcovers:q} {params.truths:q}"
        " --output {params.folder:q} --settings {input.settings:q}"
