# QGIS: all maps as one styled project.
#
# Input: scenes, land cover, maps, tiles and protected areas. Output: results/wildlens.qgz.


rule qgis:
    """Write a QGIS project of all layers, with relative paths, so that the folder can be copied."""
    input:
        scenes=ancient(expand("results/scenes/{scene}.tif", scene=PRODUCTS)),
        landcovers=ancient(
            expand("results/landcover/{scene}.tif", scene=[*TRAINING, *WITH_LANDCOVER])
        ),
        names=ancient(
            expand("results/landcover/{scene}.tif.aux.xml", scene=[*TRAINING, *WITH_LANDCOVER])
        ),
        maps=ancient([*MAPS, *EXTRA_MAPS]),
        changes=ancient(rules.compare.output.maps if COMPARE else []),
        footprints=ancient(FOOTPRINTS),
        areas=ancient(AREAS_WITH_STATISTICS),
        checksums=[
            *SCENE_CHECKSUMS,
            *LANDCOVER_CHECKSUMS,
            *MAP_CHECKSUMS,
            *EXTRA_MAP_CHECKSUMS,
            *COMPARE_CHECKSUMS,
            *TILES_CHECKSUMS,
            *AREA_CHECKSUMS,
        ],
        settings="results/settings/tiles.yaml",
    output:
        project=update("results/wildlens.qgz"),
        areas_style=update(["results/areas.qml"] if STATISTICS_AREAS else []),
        tiles_style=update(["results/tiles.qml"] if TRAINS else []),
        views=update(
            expand(
                "results/maps/{scene}/{method}_agreement.vrt",
                scene=MAPPED,
                method=[method for method in MAP_METHODS if method in COMBINED],
            )
        ),
        checksum="results/checksums/qgis.txt",
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
        contents=contents_of("qgis"),
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        areas=repeated("--areas", AREAS_WITH_STATISTICS),
        changes=lambda wildcards, input: repeated("--change", input.changes),
        footprints=repeated("--footprints", FOOTPRINTS),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} qgis {params.scenes:q}"
        " {params.landcovers:q} {params.maps:q} {params.footprints:q}"
        " {params.areas:q} {params.changes:q} --output {output.project:q} --settings {input.settings:q}"
