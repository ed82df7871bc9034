# Figures of a run that maps with models of another one: the mapped scenes.
#
# Input: scenes, maps and land cover. Output: results/figures/map.png and PDF.


rule figures:
    """Draw the mapped scenes."""
    input:
        scenes=ancient(expand("results/scenes/{scene}.tif", scene=MAPPED)),
        maps=ancient(MAPS),
        landcovers=ancient(expand("results/landcover/{scene}.tif", scene=WITH_LANDCOVER)),
        areas=ancient(AREA_TABLE),
        checksums=[*SCENE_CHECKSUMS, *MAP_CHECKSUMS, *LANDCOVER_CHECKSUMS, *AREA_CHECKSUMS],
    output:
        map=report(
            update("results/figures/map.png"),
            caption="../report/map.rst",
            category="3 The explanation",
            labels={"what": "A whole scene", "kind": "figure"},
        ),
        areas=report(
            update(["results/figures/areas.png"] if STATISTICS_AREAS else []),
            caption="../report/areas.rst",
            category="6 Protected areas",
            labels={"what": "Score of each protected area", "kind": "figure"},
        ),
        pdfs=update(
            expand(
                "results/figures/{name}.pdf",
                name=["map", *(["areas"] if STATISTICS_AREAS else [])],
            )
        ),
        checksum="results/checksums/figures.txt",
    log:
        "results/logs/figures.log",
    benchmark:
        "results/benchmarks/figures.tsv"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code_digest("wildlens.figures.step"),
        contents=contents_of("figures"),
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        areas=lambda wildcards, input: repeated("--areas", input.areas),
        folder=subpath(output.map, parent=True),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} figures {params.scenes:q}"
        " {params.maps:q} {params.landcovers:q} {params.areas:q} --output {params.folder:q}"
