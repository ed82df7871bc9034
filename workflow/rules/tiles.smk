# Tiles: the training set, from the training scenes, with a spatial split.
#
# Input: scenes, their land cover, protected areas. Output: results/tiles.zarr, results/tiles.gpkg
# and results/sites.csv, the protected sites near the scenes and why some are left out.


rule tiles:
    """Cut tiles, label them protected or anthropogenic, split them."""
    input:
        scenes=ancient(expand("results/scenes/{scene}.tif", scene=TRAINING)),
        landcovers=ancient(expand("results/landcover/{scene}.tif", scene=TRAINING)),
        truths=truths_of,
        areas=areas_of,
        sidecars=areas_sidecars_of,
        checksums=tile_checksums_of,
        settings="results/settings/tiles.yaml",
    output:
        tiles=update(directory("results/tiles.zarr")),
        footprints=update("results/tiles.gpkg"),
        sites=update("results/sites.csv"),
        checksum="results/checksums/tiles.txt",
    log:
        "results/logs/tiles.log",
    benchmark:
        "results/benchmarks/tiles.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        code=code_digest("wildlens.tiles.step"),
        contents=contents_of("tiles"),
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        truths=lambda wildcards, input: repeated("--truth", input.truths),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} tiles {params.scenes:q}"
        " {params.landcovers:q} {params.truths:q} --areas {input.areas:q} --output {output.tiles:q}"
        " --footprints {output.footprints:q} --sites {output.sites:q} --settings {input.settings:q}"
