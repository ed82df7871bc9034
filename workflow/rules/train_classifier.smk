# Classifier: the network that tells protected from anthropogenic land, and that is explained.
#
# Reads the tiles. Gives results/models/classifier.safetensors, results/metrics/classifier.


rule train_classifier:
    """Train the classifier; keep its curves and its accuracy by split."""
    input:
        tiles="results/tiles.zarr",
        settings="results/settings/classifier.yaml",
    output:
        model="results/models/classifier.safetensors",
        training="results/metrics/classifier/training.csv",
        accuracy=report(
            "results/metrics/classifier/accuracy.csv",
            caption="../report/accuracy.rst",
            category="2 The classifier",
            labels={"what": "Accuracy by split", "kind": "table"},
        ),
        confusion=report(
            "results/metrics/classifier/confusion.csv",
            caption="../report/confusion.rst",
            category="2 The classifier",
            labels={"what": "Classes taken for each other", "kind": "table"},
        ),
        warnings=report(
            "results/metrics/classifier/warnings.txt",
            caption="../report/warnings.rst",
            category="2 The classifier",
            labels={"what": "Warnings", "kind": "text"},
        ),
    log:
        "results/logs/train_classifier.log",
    benchmark:
        "results/benchmarks/train_classifier.tsv"
    threads: 8
    resources:
        mem_mb=growing(8000),
        runtime="8h",  # at which it saves; the next attempt goes on
        gpu=1,  # with more, as many processes share each batch, to the same result
        nodes=1,
    params:
        code=network_digest("wildlens.train_classifier.step"),
        metrics=subpath(output.training, parent=True),
    shell:
        # exec: a shell that a scheduler's signal ends would take the training along before it saved
        "exec wildlens --log {log:q} train-classifier {input.tiles:q} --output {output.model:q}"
        " --metrics {params.metrics:q} --settings {input.settings:q}"
        " --checkpoints results/checkpoints --processes {resources.gpu}"
