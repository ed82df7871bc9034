# Attribution: where in the image the classifier's score comes from, by each method.
#
# Reads scenes (or tiles) and models. Gives results/maps/{scene}/{method}.tif with a style for QGIS,
# and results/attributions/{method}.zarr, which the evaluation compares with land cover.


rule map:
    """Attribute a whole scene: a georeferenced map on the scene's own grid."""
    input:
        scene="results/scenes/{scene}.tif",
        classifier="results/models/classifier.safetensors",
        generators=generators_of,
        tiles=training_tiles_of,
        settings="results/settings/attribution.yaml",
    output:
        raster="results/maps/{scene}/{method}.tif",
        style="results/maps/{scene}/{method}.qml",
    log:
        "results/logs/map/{scene}/{method}.log",
    benchmark:
        "results/benchmarks/map/{scene}/{method}.tsv"
    threads: 4
    resources:
        mem_mb=6000,
        runtime="8h",
        gpu=1,
    params:
        code=method_digest("wildlens.mapping", "wildlens.presentation.qml"),
        generators=lambda wildcards, input: repeated("--generators", input.generators),
        tiles=lambda wildcards, input: repeated("--tiles", input.tiles),
    shell:
        "wildlens --log {log:q} map {input.scene:q} --method {wildcards.method:q}"
        " --classifier {input.classifier:q} {params.generators:q} {params.tiles:q}"
        " --output {output.raster:q} --settings {input.settings:q}"


rule attribute:
    """Attribute the protected validation and test tiles."""
    input:
        tiles="results/tiles.zarr",
        classifier="results/models/classifier.safetensors",
        generators=generators_of,
        settings="results/settings/attribution.yaml",
    output:
        directory("results/attributions/{method}.zarr"),
    log:
        "results/logs/attribute/{method}.log",
    benchmark:
        "results/benchmarks/attribute/{method}.tsv"
    threads: 4
    resources:
        mem_mb=6000,
        runtime="4h",
        gpu=1,
    params:
        code=method_digest("wildlens.tile_attribution"),
        generators=lambda wildcards, input: repeated("--generators", input.generators),
    shell:
        "wildlens --log {log:q} attribute {input.tiles:q} --method {wildcards.method:q}"
        " --classifier {input.classifier:q} {params.generators:q}"
        " --output {output:q} --settings {input.settings:q}"
