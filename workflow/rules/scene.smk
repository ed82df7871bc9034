# Scene: a Sentinel-2 product, or several, in our form: on one grid of 10 m.
#
# Reads products. Gives results/scenes/{scene}.tif with a style for QGIS.


rule scene:
    """Bring products' bands to one grid of 10 m, apply offsets, mask what is no land."""
    input:
        product=product_of,
        settings="results/settings/scene.yaml",
    output:
        scene="results/scenes/{scene}.tif",
        style="results/scenes/{scene}.qml",
    log:
        "results/logs/scene/{scene}.log",
    benchmark:
        "results/benchmarks/scene/{scene}.tsv"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        # not the style's: another look is no reason to train again
        code=code_digest("wildlens.scene.step"),
        reading=reading_of,
    shell:
        "GDAL_NUM_THREADS={threads} wildlens --log {log:q} scene {input.product:q} {params.reading:q}"
        " --output {output.scene:q} --settings {input.settings:q}"
