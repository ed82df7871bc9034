# Evaluate: compare high attribution with land cover, and test generators and faithfulness.
#
# Reads tiles, models, attributions, maps and land cover. Gives results/evaluation: tables, and the
# example tiles with their generated images that the figures show.


rule evaluate:
    """Compare the attributions of all methods with land cover."""
    input:
        tiles="results/tiles.zarr",
        classifier="results/models/classifier.safetensors",
        generators="results/models/generators.safetensors",
        attributions=expand("results/attributions/{method}.zarr", method=TILE_METHODS),
        maps=MAPS,
        landcovers=expand("results/landcover/{scene}.tif", scene=WITH_LANDCOVER),
        settings="results/settings/evaluation.yaml",
    output:
        methods=report(
            "results/evaluation/methods.csv",
            caption="../report/methods_table.rst",
            category="4 How good they are",
            labels={"what": "All methods compared", "kind": "table"},
        ),
        rules=report(
            "results/evaluation/rules.csv",
            caption="../report/rules.rst",
            category="4 How good they are",
            labels={"what": "Other rules of what is high", "kind": "table"},
        ),
        groups=report(
            "results/evaluation/groups.csv",
            caption="../report/groups.rst",
            category="4 How good they are",
            labels={"what": "Other groups of classes", "kind": "table"},
        ),
        tiles=report(
            "results/evaluation/tiles.csv",
            caption="../report/tiles_table.rst",
            category="4 How good they are",
            labels={"what": "Per-tile metrics", "kind": "table"},
        ),
        differences=report(
            "results/evaluation/differences.csv",
            caption="../report/differences.rst",
            category="4 How good they are",
            labels={"what": "Differences between methods", "kind": "table"},
        ),
        faithfulness=report(
            "results/evaluation/faithfulness.csv",
            caption="../report/faithfulness.rst",
            category="4 How good they are",
            labels={"what": "Faithfulness to the classifier", "kind": "table"},
        ),
        completeness=report(
            "results/evaluation/completeness.csv",
            caption="../report/completeness.rst",
            category="4 How good they are",
            labels={"what": "Completeness of contributions", "kind": "table"},
        ),
        classes=report(
            "results/evaluation/classes.csv",
            caption="../report/classes_table.rst",
            category="5 What they highlight",
            labels={"what": "Attribution by land cover", "kind": "table"},
        ),
        scores=report(
            "results/evaluation/scores.csv",
            caption="../report/scores.rst",
            category="2 The classifier",
            labels={"what": "Scores of images and generated images", "kind": "table"},
        ),
        texture=report(
            "results/evaluation/texture.csv",
            caption="../report/texture.rst",
            category="3 The explanation",
            labels={"what": "Periodic texture", "kind": "table"},
        ),
        examples="results/evaluation/examples.npz",
        warnings=report(
            "results/evaluation/warnings.txt",
            caption="../report/warnings.rst",
            category="4 How good they are",
            labels={"what": "Warnings", "kind": "text"},
        ),
        provenance="results/evaluation/provenance.json",
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
        attributions=lambda wildcards, input: repeated("--attribution", input.attributions),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        folder=subpath(output.methods, parent=True),
    shell:
        "wildlens --log {log:q} evaluate {input.tiles:q} --classifier {input.classifier:q}"
        " --generators {input.generators:q} {params.attributions:q} {params.maps:q}"
        " {params.landcovers:q} --output {params.folder:q} --settings {input.settings:q}"
