# Train the GAN: pattern-maximizer and pattern-minimizer, through the frozen classifier.
#
# Input: tiles and classifier. Output: results/models/generators.safetensors, results/metrics/gan.


rule train_gan:
    """Train the two generators that raise and lower the classifier's score."""
    input:
        tiles=ancient("results/tiles.zarr"),
        classifier=ancient("results/models/classifier.safetensors"),
        settings="results/settings/gan.yaml",
        checksums=["results/checksums/tiles.txt", "results/checksums/train_classifier.txt"],
    output:
        model=update("results/models/generators.safetensors"),
        training=update("results/metrics/gan/training.csv"),
        warnings=report(
            update("results/metrics/gan/warnings.txt"),
            caption="../report/warnings.rst",
            category="3 The explanation",
            labels={"what": "Warnings", "kind": "text"},
        ),
        checksum="results/checksums/train_gan.txt",
    log:
        "results/logs/train_gan.log",
    benchmark:
        "results/benchmarks/train_gan.tsv"
    threads: 8
    resources:
        mem_mb=growing(8000),
        runtime="24h",  # at the limit it saves a checkpoint, and the next attempt resumes
        gpu=1,  # with n, each batch is shared by n processes, with the same result
        nodes=1,
    params:
        code=network_digest("wildlens.train_gan.step"),
        contents=contents_of("train_gan"),
        metrics=subpath(output.training, parent=True),
    shell:
        # exec: otherwise a scheduler's signal ends the shell before the training saves a checkpoint
        "exec wildlens --log {log:q} --checksum {output.checksum:q} train-gan {input.tiles:q}"
        " --classifier {input.classifier:q} --output {output.model:q} --metrics {params.metrics:q}"
        " --settings {input.settings:q} --checkpoints results/checkpoints --processes {resources.gpu}"
