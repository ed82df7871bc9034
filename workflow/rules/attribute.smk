# Attribute: attribution of the validation and test tiles by each method.
#
# Input: tiles and models. Output: results/attributions/{method}.zarr, which the evaluation compares
# with land cover.


rule attribute:
    """Attribute the protected validation and test tiles."""
    input:
        tiles=ancient("results/tiles.zarr"),
        classifier=ancient("results/models/classifier.safetensors"),
        generators=generators_of,
        settings="results/settings/attribute/{method}.yaml",
        checksums=attribute_checksums_of,
    output:
        attributions=update(directory("results/attributions/{method}.zarr")),
        checksum="results/checksums/attribute/{method}.txt",
    log:
        "results/logs/attribute/{method}.log",
    benchmark:
        "results/benchmarks/attribute/{method}.tsv"
    threads: 4
    resources:
        mem_mb=growing(6000),
        runtime=growing(240),
        gpu=gpus_of,
    params:
        code=method_digest("wildlens.attribute.step"),
        contents=contents_of("attribute"),
        generators=lambda wildcards, input: repeated("--generators", input.generators),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} attribute {input.tiles:q}"
        " --method {wildcards.method:q} --classifier {input.classifier:q} {params.generators:q}"
        " --output {output.attributions:q} --settings {input.settings:q}"
