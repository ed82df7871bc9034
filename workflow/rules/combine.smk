# Combine: one result of the members' results, under the name that a single training's has.
#
# Input: attributions of tiles and maps of scenes by all members. Output: mean, standard deviation and
# the share of members that call a pixel high, in results/attributions/{method}.zarr and
# results/maps/{scene}/{method}.tif; each member's threshold in results/metrics/members/{method}.csv.


# the rules of a single training have the same outputs
ruleorder: combine_attributions > attribute
ruleorder: combine_maps > map
ruleorder: combine_maps > join


rule combine_attributions:
    """Combine the members' attributions of tiles by a method."""
    input:
        members=members_attributions_of,
        tiles=ancient("results/tiles.zarr"),
        settings="results/settings/combine.yaml",
        checksums=members_attributions_checksums_of,
    output:
        attributions=update(directory("results/attributions/{method}.zarr")),
        thresholds=update("results/metrics/members/{method}.csv"),
        checksum="results/checksums/attribute/{method}.txt",
    log:
        "results/logs/combine_attributions/{method}.log",
    benchmark:
        "results/benchmarks/combine_attributions/{method}.tsv"
    wildcard_constraints:
        method="|".join(COMBINED),
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code_digest("wildlens.combine.attributions"),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} combine-attributions"
        " {input.members:q} --tiles {input.tiles:q} --output {output.attributions:q}"
        " --thresholds {output.thresholds:q} --settings {input.settings:q}"


rule combine_maps:
    """Combine the members' maps of a scene by a method."""
    input:
        members=members_maps_of,
        thresholds=members_thresholds_of,
        settings="results/settings/map/{method}.yaml",
        checksums=members_maps_checksums_of,
    output:
        raster=update("results/maps/{scene}/{method}.tif"),
        style=update("results/maps/{scene}/{method}.qml"),
        checksum="results/checksums/map/{scene}/{method}.txt",
    log:
        "results/logs/combine_maps/{scene}/{method}.log",
    benchmark:
        "results/benchmarks/combine_maps/{scene}/{method}.tsv"
    wildcard_constraints:
        method="|".join(COMBINED),
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        # that of the maps, too: they are temporary
        code=method_digest("wildlens.map.step", "wildlens.combine.maps", "wildlens.qgis.qml"),
        thresholds=lambda wildcards, input: repeated("--thresholds", input.thresholds),
    shell:
        "wildlens --log {log:q} --checksum {output.checksum:q} combine-maps {input.members:q}"
        " {params.thresholds:q} --output {output.raster:q}"
