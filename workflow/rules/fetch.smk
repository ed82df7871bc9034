# Fetch: the clearest product of an area and period, from a STAC catalogue.
#
# Output: resources/fetched/{scene}/item.json. The bands are written beside it but not declared as
# outputs, so that Snakemake does not delete them and a second attempt resumes the first. The plan
# does not depend on which product is found: one entry of `inputs` is one scene.


# compute nodes of a cluster rarely have access to the internet
localrules:
    fetch,


rule fetch:
    """Find a scene's product and fetch the requested bands of the requested area."""
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
        contents=contents_of("fetch"),
        request=request_options,
        bands=repeated("--band", settings.scene.bands),
    shell:
        "wildlens --log {log:q} fetch {params.request:q} {params.bands:q}"
        " --output {output.item:q} --settings {input.settings:q}"
