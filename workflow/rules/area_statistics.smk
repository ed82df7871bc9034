# Area statistics: numbers for each protected area.
#
# Input: maps, land cover, protected areas, and thresholds of the evaluation, if there are any.
# Output: results/area_statistics.csv, results/area_classes.csv and results/areas.gpkg.


rule area_statistics:
    """Compute statistics of maps and land cover for each protected area and the ring around it."""
    input:
        scenes=ancient(expand("results/scenes/{scene}.tif", scene=PRODUCTS)),
        landcovers=ancient(expand("results/landcover/{scene}.tif", scene=WITH_LANDCOVER)),
        maps=ancient([*MAPS, *EXTRA_MAPS]),
        thresholds=ancient(THRESHOLDS),
        areas=given(*STATISTICS_AREAS),
        sidecars=beside(*STATISTICS_AREAS),
        checksums=[
            *SCENE_CHECKSUMS,
            *LANDCOVER_CHECKSUMS,
            *MAP_CHECKSUMS,
            *EXTRA_MAP_CHECKSUMS,
            *EVALUATE_CHECKSUMS,
            *demo_checksum(*STATISTICS_AREAS),
        ],
        settings="results/settings/areas.yaml",
        tiles_settings="results/settings/tiles.yaml",
    output:
        table=report(
            update("results/area_statistics.csv"),
            caption="../report/area_statistics.rst",
            category="6 Protected areas",
            labels={"what": "Statistics of each protected area", "kind": "table"},
        ),
        classes=report(
            update("results/area_classes.csv"),
            caption="../report/area_classes.rst",
            category="6 Protected areas",
            labels={"what": "The same by land cover", "kind": "table"},
        ),
        areas=update("results/areas.gpkg"),
        checksum="results/checksums/area_statistics.txt",
    log:
        "results/logs/area_statistics.log",
    benchmark:
        "results/benchmarks/area_statistics.tsv"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=code_digest("wildlens.area_statistics.step"),
        contents=contents_of("area_statistics"),
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        thresholds=lambda wildcards, input: repeated("--thresholds", input.thresholds),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} area-statistics {input.areas:q}"
        " {params.scenes:q} {params.landcovers:q} {params.maps:q} {params.thresholds:q}"
        " --output {output.table:q} --classes {output.classes:q} --geopackage {output.areas:q}"
        " --settings {input.settings:q} --tiles-settings {input.tiles_settings:q}"
