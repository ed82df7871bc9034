# Scene: a Sentinel-2 product in our form, on its own UTM grid at 10 m.
#
# Reads one product. Gives results/scenes/{scene}.tif with a style for QGIS.


rule scene:
    """Bring a product's bands to 10 m, apply its offset, mask what is no land."""
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
        code=code_digest("wildlens.scene"),
        reading=reading_of,
    shell:
        "GDAL_NUM_THREADS={threads} wildlens --log {log:q} scene {input.product:q} {params.reading:q}"
        " --output {output.scene:q} --settings {input.settings:q}"
