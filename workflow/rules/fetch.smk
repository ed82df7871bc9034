# Fetch: the clearest product of an area and time, from a catalogue of the world.
#
# Reads a STAC API. Gives resources/fetched/{scene}/item.json; the bands lie beside it and are no
# declared outputs, so that Snakemake deletes none: a second try goes on where the first one ended.
# Which product that is does not matter to the plan: one entry of `inputs` is one scene.


# nodes of a cluster seldom see the world
localrules:
    fetch,


rule fetch:
    """Find a scene's product and fetch the bands and the land that are wanted of it."""
    input:
        polygons=polygons_of,
        settings="results/settings/fetch.yaml",
    output:
        item="resources/fetched/{scene}/item.json",
    log:
        "results/logs/fetch/{scene}.log",
    benchmark:
        "results/benchmarks/fetch/{scene}.tsv"
    wildcard_constraints:
        scene="|".join(map(re.escape, TO_FETCH)) or "none",
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(240),
    params:
        code=code_digest("wildlens.fetch.step"),
        wishes=wishes_of,
        bands=repeated("--band", settings.scene.bands),
    shell:
        "wildlens --log {log:q} fetch {params.wishes:q} {params.bands:q}"
        " --output {output.item:q} --settings {input.settings:q}"
