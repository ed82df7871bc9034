# QGIS: all maps as one styled project.
#
# Reads scenes, land cover, maps and tiles. Gives results/wildlens.qgz.


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
        code=code_digest("wildlens.qgis.step"),
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        areas=repeated("--areas", AREAS),
    shell:
        "wildlens --log {log:q} qgis {params.scenes:q} {params.landcovers:q} {params.maps:q}"
        " --footprints {input.footprints:q} {params.areas:q}"
        " --output {output.project:q} --settings {input.settings:q}"
