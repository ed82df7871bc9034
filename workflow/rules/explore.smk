# Explore: all maps on a page with linked panels.
#
# Input: mapped scenes, their land cover and maps, protected areas, maps of changes. Output:
# results/explore.html.


rule explore:
    """Write a page to explore the maps, as one file that needs no server and no network."""
    input:
        scenes=ancient(expand("results/scenes/{scene}.tif", scene=MAPPED)),
        landcovers=ancient(expand("results/landcover/{scene}.tif", scene=WITH_LANDCOVER)),
        maps=ancient([*MAPS, *EXTRA_MAPS]),
        areas=ancient(AREAS_WITH_STATISTICS),
        changes=ancient(rules.compare.output.maps if COMPARE else []),
        checksums=[
            *expand("results/checksums/scene/{scene}.txt", scene=MAPPED),
            *LANDCOVER_CHECKSUMS,
            *MAP_CHECKSUMS,
            *EXTRA_MAP_CHECKSUMS,
            *AREA_CHECKSUMS,
            *COMPARE_CHECKSUMS,
        ],
        settings="results/settings/evaluation.yaml",
    output:
        page=update("results/explore.html"),
        checksum="results/checksums/explore.txt",
    log:
        "results/logs/explore.log",
    benchmark:
        "results/benchmarks/explore.tsv"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=code_digest("wildlens.explore.step"),
        contents=contents_of("explore"),
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        areas=repeated("--areas", AREAS_WITH_STATISTICS),
        changes=lambda wildcards, input: repeated("--change", input.changes),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} explore {params.scenes:q}"
        " {params.landcovers:q} {params.maps:q} {params.areas:q} {params.changes:q}"
        " --output {output.page:q} --settings {input.settings:q}"
