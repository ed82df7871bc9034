# Catalogue: metadata of all rasters and models for other programs.
#
# Input: scenes, land cover, maps and models. Output: results/stac.


rule catalogue:
    """Describe all rasters and models as a static STAC catalogue with relative links."""
    input:
        scenes=ancient(rules.qgis.input.scenes),
        landcovers=ancient(rules.qgis.input.landcovers),
        maps=ancient(rules.qgis.input.maps),
        models=ancient(MODELS),
        changes=ancient(rules.compare.output.maps if COMPARE else []),
        footprints=ancient(FOOTPRINTS),
        checksums=[
            *MODEL_CHECKSUMS,
            *SCENE_CHECKSUMS,
            *LANDCOVER_CHECKSUMS,
            *MAP_CHECKSUMS,
            *EXTRA_MAP_CHECKSUMS,
            *COMPARE_CHECKSUMS,
        ],
    output:
        folder=update(directory("results/stac")),
        checksum="results/checksums/catalogue.txt",
    log:
        "results/logs/catalogue.log",
    benchmark:
        "results/benchmarks/catalogue.tsv"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=code_digest("wildlens.catalogue.step"),
        contents=contents_of("catalogue"),
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        maps=lambda wildcards, input: repeated("--map", input.maps),
        models=lambda wildcards, input: repeated("--model", input.models),
        changes=lambda wildcards, input: repeated("--change", input.changes),
        footprints=repeated("--footprints", FOOTPRINTS),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} catalogue {params.scenes:q}"
        " {params.landcovers:q} {params.maps:q} {params.models:q}"
        " {params.changes:q} {params.footprints:q} --output {output.folder:q}"
