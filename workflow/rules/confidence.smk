# Confidence: how sure the classifier is, whether rightly so, and whether maps are worse where it is
# not.
#
# Input: tiles, the classifiers of all members, attributions of tiles, protected areas for their
# categories. Output: results/confidence with tables.


rule confidence:
    """Measure the classifier's confidence, and compare maps where it is high or low."""
    input:
        tiles=ancient("results/tiles.zarr"),
        classifiers=ancient(CLASSIFIERS),
        attributions=ancient(expand("results/attributions/{method}.zarr", method=TILE_METHODS)),
        areas=areas_of_tiles,
        sidecars=areas_of_tiles_sidecars,
        settings="results/settings/confidence.yaml",
        evaluation_settings="results/settings/evaluation.yaml",
        tiles_settings="results/settings/tiles.yaml",
        checksums=[*CLASSIFIER_CHECKSUMS, *ATTRIBUTE_CHECKSUMS, *demo_checksum(*AREAS_OF_TILES)],
    output:
        tiles=report(
            update("results/confidence/tiles.csv"),
            caption="../report/confidence_tiles.rst",
            category="2 The classifier",
            labels={"what": "Confidence by tile", "kind": "table"},
        ),
        calibration=report(
            update("results/confidence/calibration.csv"),
            caption="../report/calibration.rst",
            category="2 The classifier",
            labels={"what": "Calibration", "kind": "table"},
        ),
        reliability=report(
            update("results/confidence/reliability.csv"),
            caption="../report/reliability.rst",
            category="2 The classifier",
            labels={"what": "Reliability by score", "kind": "table"},
        ),
        filtered=report(
            update("results/confidence/filtered.csv"),
            caption="../report/filtered.rst",
            category="4 How good they are",
            labels={"what": "Maps of the surest tiles", "kind": "table"},
        ),
        filtered_classes=report(
            update("results/confidence/filtered_classes.csv"),
            caption="../report/filtered_classes.rst",
            category="5 What they highlight",
            labels={"what": "Attribution by land cover, surest tiles", "kind": "table"},
        ),
        classes=report(
            update("results/confidence/classes.csv"),
            caption="../report/class_index.rst",
            category="5 What they highlight",
            labels={"what": "Index of land-cover classes", "kind": "table"},
        ),
        disagreement=(
            report(
                update("results/confidence/disagreement.csv"),
                caption="../report/disagreement.rst",
                category="4 How good they are",
                labels={"what": "Errors by disagreement of members", "kind": "table"},
            )
            if COMBINED_ATTRIBUTIONS
            else []
        ),
        warnings=report(
            update("results/confidence/warnings.txt"),
            caption="../report/warnings.rst",
            category="2 The classifier",
            labels={"what": "Warnings about the confidence", "kind": "text"},
        ),
        provenance=update("results/confidence/provenance.json"),
        checksum="results/checksums/confidence.txt",
    log:
        "results/logs/confidence.log",
    benchmark:
        "results/benchmarks/confidence.tsv"
    threads: 2
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
        gpu=1,  # the classifiers run on the tiles
    params:
        code=network_digest("wildlens.confidence.step"),
        contents=contents_of("confidence"),
        classifiers=lambda wildcards, input: repeated("--classifier", input.classifiers),
        attributions=lambda wildcards, input: repeated("--attribution", input.attributions),
        areas=lambda wildcards, input: repeated("--areas", input.areas),
        folder=subpath(output.tiles, parent=True),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} confidence {input.tiles:q}"
        " {params.classifiers:q} {params.attributions:q} {params.areas:q} --output {params.folder:q}"
        " --settings {input.settings:q} --evaluation-settings {input.evaluation_settings:q}"
        " --tiles-settings {input.tiles_settings:q}"
