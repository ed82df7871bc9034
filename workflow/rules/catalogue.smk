# Catalogue: all rasters and models, described to other programs.
#
# Reads scenes, land cover, maps and models. Gives results/stac.


rule catalogue:
    """Describe all rasters and models as a static STAC catalogue with relative links."""
    input:
        scenes=rules.qgis.input.scenes,
        landcovers=rules.qgis.input.landcovers,
        maps=rules.qgis.input.maps,
        classifier="results/models/classifier.safetensors",
        generators="results/models/generators.safetensors",
        footprints="results/tiles.gpkg",
    output:
        folder=directory("results/stac"),
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
        scenes=lambda wildcards, input: repeated("--scene", input.scenes),
        landcovers=lambda wildcards, input: repeated("--landcover", input.landcovers),
        maps=lambda wildcards, input: repeated("--map", input.maps),
    shell:
        "wildlens --log {log:q} catalogue {params.scenes:q} {params.landcovers:q} {params.maps:q}"
        " --model {input.classifier:q} --model {input.generators:q}"
        " --footprints {input.footprints:q} --output {output.folder:q}"
