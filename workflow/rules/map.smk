# Attribution: where in the image the classifier's score comes from, by each method.
#
# Reads scenes (or tiles) and models. Gives results/maps/{scene}/{method}.tif with a style for QGIS,
# and results/attributions/{method}.zarr, which the evaluation compares with land cover. With
# attribution.parts above 1, a scene is mapped in so many jobs, whose results are joined.


scattergather:
    rows=settings.attribution.parts,


# both make the same map
if settings.attribution.parts == 1:

    ruleorder: map > join

else:

    ruleorder: join > map


rule map:
    """Map a whole scene by a method, on the scene's own grid."""
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
        mem_mb=growing(6000),
        runtime=growing(480),
        gpu=gpus_of,
    params:
        code=method_digest("wildlens.mapping", "wildlens.presentation.qml"),
        generators=lambda wildcards, input: repeated("--generators", input.generators),
        tiles=lambda wildcards, input: repeated("--tiles", input.tiles),
    shell:
        "wildlens --log {log:q} map {input.scene:q} --method {wildcards.method:q}"
        " --classifier {input.classifier:q} {params.generators:q} {params.tiles:q}"
        " --output {output.raster:q} --settings {input.settings:q}"


rule map_part:
    """Map one run of rows of a scene."""
    input:
        scene="results/scenes/{scene}.tif",
        classifier="results/models/classifier.safetensors",
        generators=generators_of,
        tiles=training_tiles_of,
        settings="results/settings/attribution.yaml",
    output:
        temp("results/maps/parts/{scene}/{method}/{scatteritem}.tif"),
    log:
        "results/logs/map/{scene}/{method}/{scatteritem}.log",
    benchmark:
        "results/benchmarks/map/{scene}/{method}/{scatteritem}.tsv"
    threads: 4
    resources:
        mem_mb=growing(6000),
        runtime=growing(480),
        gpu=gpus_of,
    params:
        code=method_digest("wildlens.mapping", "wildlens.presentation.qml"),
        generators=lambda wildcards, input: repeated("--generators", input.generators),
        tiles=lambda wildcards, input: repeated("--tiles", input.tiles),
    shell:
        "wildlens --log {log:q} map {input.scene:q} --method {wildcards.method:q}"
        " --classifier {input.classifier:q} {params.generators:q} {params.tiles:q}"
        " --output {output:q} --settings {input.settings:q} --part {wildcards.scatteritem:q}"


rule join:
    """Put the parts of a scene's map together."""
    input:
        gather.rows("results/maps/parts/{{scene}}/{{method}}/{scatteritem}.tif"),
    output:
        raster="results/maps/{scene}/{method}.tif",
        style="results/maps/{scene}/{method}.qml",
    log:
        "results/logs/join/{scene}/{method}.log",
    benchmark:
        "results/benchmarks/join/{scene}/{method}.tsv"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=method_digest("wildlens.mapping", "wildlens.presentation.qml"),
    shell:
        "wildlens --log {log:q} join {input:q} --method {wildcards.method:q}"
        " --output {output.raster:q}"


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
        mem_mb=growing(6000),
        runtime=growing(240),
        gpu=gpus_of,
    params:
        code=method_digest("wildlens.tile_attribution"),
        generators=lambda wildcards, input: repeated("--generators", input.generators),
    shell:
        "wildlens --log {log:q} attribute {input.tiles:q} --method {wildcards.method:q}"
        " --classifier {input.classifier:q} {params.generators:q}"
        " --output {output:q} --settings {input.settings:q}"
