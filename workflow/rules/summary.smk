# Summary: the run on one page.
#
# Reads tables, figures and captions. Gives results/summary.html.


rule summary:
    """Put the story of the run, its numbers, warnings and settings into one page."""
    input:
        methods=rules.evaluate.output.methods,
        scores=rules.evaluate.output.scores,
        evaluation=rules.evaluate.output.provenance,
        accuracy=rules.train_classifier.output.accuracy,
        figures=rules.figures.output,
        project=rules.qgis.output.project,
        catalogue=rules.catalogue.output.folder,
        maps=MAPS,
        captions=CAPTIONS,
    output:
        page=report(
            "results/summary.html",
            caption="../report/summary.rst",
            category="0 Read this first",
            labels={"what": "The run on one page", "kind": "page"},
        ),
    log:
        "results/logs/summary.log",
    benchmark:
        "results/benchmarks/summary.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code_digest("wildlens.summary.step"),
        results=subpath(output.page, parent=True),
        captions=lambda wildcards, input: os.path.dirname(input.captions[0]),
    shell:
        "wildlens --log {log:q} summary {params.results:q} --captions {params.captions:q}"
        " --output {output.page:q}"
