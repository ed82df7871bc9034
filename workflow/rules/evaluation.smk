# Evaluation: do the highlighted pixels lie on wetlands and bare land?
#
# Reads tiles, models, attributions, maps and land cover. Gives results/evaluation/*.csv.


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
        provenance="results/evaluation/provenance.json",
    log:
        "results/logs/evaluation.log",
    benchmark:
        "results/benchmarks/evaluation.tsv"
    threads: 4
    resources:
        mem_mb=6000,
        runtime="4h",
    params:
        code=code_digest("wildlens.evaluation"),
        attributions=lambda wildcards, input: repeated("--attribution", input.attributions),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        folder=subpath(output.methods, parent=True),
    shell:
        "wildlens --log {log:q} evaluate {input.tiles:q} --classifier {input.classifier:q}"
        " --generators {input.generators:q} {params.attributions:q} {params.maps:q}"
        " {params.landcovers:q} --output {params.folder:q} --settings {input.settings:q}"
