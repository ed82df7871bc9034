# AnthroProtect: the training set from the published dataset, instead of tiles.smk.
#
# Input: the dataset's folder. Output: results/tiles.zarr and results/tiles.gpkg.


rule anthroprotect:
    """Convert AnthroProtect's tiles, labels and split to a training set."""
    input:
        table=ancient(ANTHROPROTECT / "infos.csv"),
        settings="results/settings/tiles.yaml",
        scene_settings="results/settings/scene.yaml",
        landcover_settings="results/settings/landcover.yaml",
    output:
        tiles=update(directory("results/tiles.zarr")),
        footprints=update("results/tiles.gpkg"),
        checksum="results/checksums/tiles.txt",
    log:
        "results/logs/anthroprotect.log",
    benchmark:
        "results/benchmarks/anthroprotect.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(480),
    params:
        code=code_digest("wildlens.anthroprotect.step"),
        contents=contents_of("anthroprotect"),
        folder=subpath(input.table, parent=True),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} anthroprotect {params.folder:q}"
        " --output {output.tiles:q} --footprints {output.footprints:q} --settings {input.settings:q}"
        " --scene-settings {input.scene_settings:q}"
        " --landcover-settings {input.landcover_settings:q}"
