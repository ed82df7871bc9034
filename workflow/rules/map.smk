# Map: attribution of whole scenes by each method.
#
# Input: scenes and models. Output: results/maps/{scene}/{method}.tif with a style for QGIS. With
# attribution.parts above 1, a scene is mapped by that number of jobs, whose results are joined.


scattergather:
    rows=settings.attribution.parts,


# both rules have the same output
if settings.attribution.parts == 1:

    ruleorder: map > join

else:

    ruleorder: join > map


rule map:
    """Map a whole scene by a method, on the scene's own grid."""
    input:
        scene=ancient("results/scenes/{scene}.tif"),
        classifier=ancient(CLASSIFIER),
        generators=generators_of,
        tiles=training_tiles_of,
        settings="results/settings/map/{method}.yaml",
        checksums=map_checksums_of,
    output:
        raster=update("results/maps/{scene}/{method}.tif"),
        style=update("results/maps/{scene}/{method}.qml"),
        checksum="results/checksums/map/{scene}/{method}.txt",
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
        code=method_digest("wildlens.map.step", "wildlens.qgis.qml"),
        contents=contents_of("map"),
        generators=lambda wildcards, input: repeated("--generators", input.generators),
        tiles=lambda wildcards, input: repeated("--tiles", input.tiles),
        part=part_of,
        strips=strips_of,
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} map {input.scene:q}"
        " --method {wildcards.method:q} --classifier {input.classifier:q} {params.generators:q}"
        " {params.tiles:q} --output {output.raster:q} --settings {input.settings:q} {params.part:q}"
        " --strips {params.strips:q}"


use rule map as map_part with:
    output:
        raster=temp("results/maps/parts/{scene}/{method}/{scatteritem}.tif"),
        checksum=temp("results/maps/parts/{scene}/{method}/{scatteritem}.txt"),
    log:
        "results/logs/map/{scene}/{method}/{scatteritem}.log",
    benchmark:
        "results/benchmarks/map/{scene}/{method}/{scatteritem}.tsv"


rule join:
    """Join the parts of a scene's map."""
    input:
        parts=ancient(gather.rows("results/maps/parts/{{scene}}/{{method}}/{scatteritem}.tif")),
        checksums=gather.rows("results/maps/parts/{{scene}}/{{method}}/{scatteritem}.txt"),
    output:
        raster=update("results/maps/{scene}/{method}.tif"),
        style=update("results/maps/{scene}/{method}.qml"),
        checksum="results/checksums/map/{scene}/{method}.txt",
    log:
        "results/logs/join/{scene}/{method}.log",
    benchmark:
        "results/benchmarks/join/{scene}/{method}.tsv"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=method_digest("wildlens.map.step", "wildlens.qgis.qml"),
        contents=contents_of("join"),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} join {input.parts:q}"
        " --method {wildcards.method:q} --output {output.raster:q}"
