# Land cover: CORINE classes on the grid of each scene.
#
# Input: land cover and a scene. Output: results/landcover/{scene}.tif and its class names.


rule landcover:
    """Resample land cover to a scene's grid."""
    input:
        source=landcover_of,
        sidecars=landcover_sidecars_of,
        table=ancient([settings.landcover.table] if settings.landcover.table else []),
        scene=ancient("results/scenes/{scene}.tif"),
        checksums=landcover_checksums_of,
        settings="results/settings/landcover.yaml",
    output:
        raster=update("results/landcover/{scene}.tif"),
        names=update("results/landcover/{scene}.tif.aux.xml"),
        checksum="results/checksums/landcover/{scene}.txt",
    log:
        "results/logs/landcover/{scene}.log",
    benchmark:
        "results/benchmarks/landcover/{scene}.tsv"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        code=code_digest("wildlens.landcover.step"),
        contents=contents_of("landcover"),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} landcover {input.source:q}"
        " --scene {input.scene:q} --output {output.raster:q} --settings {input.settings:q}"
