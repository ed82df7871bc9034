# Scene: reflectance of one Sentinel-2 product, or several, on one 10 m grid.
#
# Input: products. Output: results/scenes/{scene}.tif with a style for QGIS.


rule scene:
    """Resample bands to one 10 m grid, apply offsets, mask clouds, shadows and no data."""
    input:
        product=product_of,
        scl=scl_of,
        sidecars=product_sidecars_of,
        checksums=scene_checksums_of,
        settings="results/settings/scene.yaml",
    output:
        scene=update("results/scenes/{scene}.tif"),
        style=update("results/scenes/{scene}.qml"),
        checksum="results/checksums/scene/{scene}.txt",
    log:
        "results/logs/scene/{scene}.log",
    benchmark:
        "results/benchmarks/scene/{scene}.tsv"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        # without the code of the style, since a new style must not cause a new training
        code=code_digest("wildlens.scene.step"),
        contents=contents_of("scene"),
        options=product_options,
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} scene {input.product:q}"
        " {params.options:q} --output {output.scene:q} --settings {input.settings:q}"
