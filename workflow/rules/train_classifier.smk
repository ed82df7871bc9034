# Train the classifier: the network that distinguishes protected from anthropogenic land.
#
# Input: tiles. Output: results/models/classifier.safetensors, results/metrics/classifier.


rule train_classifier:
    """Train the classifier; write its training curve and its accuracy by split."""
    input:
        tiles=ancient("results/tiles.zarr"),
        settings="results/settings/classifier.yaml",
        checksums="results/checksums/tiles.txt",
    output:
        model=update("results/models/classifier.safetensors"),
        training=update("results/metrics/classifier/training.csv"),
        accuracy=report(
            update("results/metrics/classifier/accuracy.csv"),
            caption="../report/accuracy.rst",
            category="2 The classifier",
            labels={"what": "Accuracy by split", "kind": "table"},
        ),
        confusion=report(
            update("results/metrics/classifier/confusion.csv"),
            caption="../report/confusion.rst",
            category="2 The classifier",
            labels={"what": "Confusion matrix", "kind": "table"},
        ),
        baselines="results/metrics/classifier/baselines.csv",
        evidence="results/metrics/classifier/evidence.csv",
        warnings=report(
            update("results/metrics/classifier/warnings.txt"),
            caption="../report/warnings.rst",
            category="2 The classifier",
            labels={"what": "Warnings", "kind": "text"},
        ),
        checksum="results/checksums/train_classifier.txt",
    log:
        "results/logs/train_classifier.log",
    benchmark:
        "results/benchmarks/train_classifier.tsv"
    threads: 8
    resources:
        mem_mb=growing(8000),
        runtime="8h",  # at the limit it saves a checkpoint, and the next attempt resumes
        gpu=1,  # with n, each batch is shared by n processes, with the same result
        nodes=1,
    params:
        code=network_digest("wildlens.train_classifier.step"),
        contents=contents_of("train_classifier"),
        metrics=subpath(output.training, parent=True),
    shell:
        # exec: otherwise a scheduler's signal ends the shell before the training saves a checkpoint
        "exec wildlens --log {log:q} --checksum {output.checksum:q} train-classifier {input.tiles:q}"
        " --output {output.model:q} --metrics {params.metrics:q} --settings {input.settings:q}"
        " --checkpoints results/checkpoints --processes {resources.gpu}"
