# Compare: the change between two dates.
#
# Input: maps of both dates, and of pairs without change, if there are any; protected areas. Output:
# results/compare/{before}_{after}: a map of the change per method with its style, and areas.csv.


rule compare:
    """Subtract the maps of two dates, and find protected areas that change beyond the noise."""
    input:
        maps=ancient(COMPARED_MAPS),
        areas=given(*STATISTICS_AREAS),
        sidecars=beside(*STATISTICS_AREAS),
        checksums=[*COMPARED_CHECKSUMS, *demo_checksum(*STATISTICS_AREAS)],
        settings="results/settings/compare.yaml",
        areas_settings="results/settings/areas.yaml",
        tiles_settings="results/settings/tiles.yaml",
    output:
        maps=update(
            expand("results/compare/{before}_{after}/{method}.tif", **TWO_DATES, method=CHANGED)
        ),
        styles=update(
            expand("results/compare/{before}_{after}/{method}.qml", **TWO_DATES, method=CHANGED)
        ),
        table=report(
            update(
                expand("results/compare/{before}_{after}/areas.csv", **TWO_DATES)
                if STATISTICS_AREAS
                else []
            ),
            caption="../report/compare.rst",
            category="6 Protected areas",
            labels={"what": "Change between two dates", "kind": "table"},
        ),
        checksum="results/checksums/compare.txt",
    log:
        "results/logs/compare.log",
    benchmark:
        "results/benchmarks/compare.tsv"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    params:
        code=code_digest("wildlens.compare.step") + code_digest("wildlens.qgis.qml"),
        contents=contents_of("compare"),
        folder=lambda wildcards, output: os.path.dirname(output.maps[0]),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        areas=lambda wildcards, input: repeated("--areas", input.areas),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} compare {params.maps:q}"
        " {params.areas:q} --output {params.folder:q} --settings {input.settings:q}"
        " --areas-settings {input.areas_settings:q} --tiles-settings {input.tiles_settings:q}"
