# Members: trainings of other seeds, and their maps and attributions.
#
# Input and output are those of the rules that these are made of. Models, metrics and attributions of
# the further members have their number in their names; maps of members are temporary, and what
# `combine` makes of them has the names of a single training's. Included only with several members.


localrules:
    member_settings,


rule member_settings:
    """Write the section of a training for a further member, which has another seed."""
    output:
        "results/settings/{section}-{member}.yaml",
    log:
        "results/logs/settings/{section}-{member}.log",
    wildcard_constraints:
        section="classifier|gan",
    params:
        text=member_settings_text,
    shell:
        "printf '%s' {params.text:q} > {output:q} 2> {log:q}"


use rule train_classifier as train_classifier_member with:
    input:
        tiles=ancient("results/tiles.zarr"),
        settings="results/settings/classifier-{member}.yaml",
        checksums="results/checksums/tiles.txt",
    output:
        model=update("results/models/classifier-{member}.safetensors"),
        training=update("results/metrics/classifier-{member}/training.csv"),
        accuracy=report(
            update("results/metrics/classifier-{member}/accuracy.csv"),
            caption="../report/accuracy.rst",
            category="2 The classifier",
            labels={"what": "Accuracy by split, member {member}", "kind": "table"},
        ),
        confusion=report(
            update("results/metrics/classifier-{member}/confusion.csv"),
            caption="../report/confusion.rst",
            category="2 The classifier",
            labels={"what": "Confusion matrix, member {member}", "kind": "table"},
        ),
        baselines="results/metrics/classifier-{member}/baselines.csv",
        evidence="results/metrics/classifier-{member}/evidence.csv",
        warnings=report(
            update("results/metrics/classifier-{member}/warnings.txt"),
            caption="../report/warnings.rst",
            category="2 The classifier",
            labels={"what": "Warnings, member {member}", "kind": "text"},
        ),
        checksum="results/checksums/train_classifier-{member}.txt",
    log:
        "results/logs/train_classifier-{member}.log",
    benchmark:
        "results/benchmarks/train_classifier-{member}.tsv"
    params:
        contents=contents_of("train_classifier_member"),


use rule train_gan as train_gan_member with:
    input:
        tiles=ancient("results/tiles.zarr"),
        classifier=classifier_file_of,
        settings="results/settings/gan-{member}.yaml",
        checksums=training_checksums_of,
    output:
        model=update("results/models/generators-{member}.safetensors"),
        training=update("results/metrics/gan-{member}/training.csv"),
        warnings=report(
            update("results/metrics/gan-{member}/warnings.txt"),
            caption="../report/warnings.rst",
            category="3 The explanation",
            labels={"what": "Warnings, member {member}", "kind": "text"},
        ),
        checksum="results/checksums/train_gan-{member}.txt",
    log:
        "results/logs/train_gan-{member}.log",
    benchmark:
        "results/benchmarks/train_gan-{member}.tsv"
    params:
        contents=contents_of("train_gan_member"),


use rule attribute as attribute_member with:
    input:
        tiles=ancient("results/tiles.zarr"),
        classifier=classifier_file_of,
        generators=generators_of,
        settings="results/settings/attribute/{method}.yaml",
        checksums=attribute_checksums_of,
    output:
        attributions=update(directory("results/attributions/members/{method}-{member}.zarr")),
        checksum="results/checksums/attribute/{method}-{member}.txt",
    log:
        "results/logs/attribute/{method}/member-{member}.log",
    benchmark:
        "results/benchmarks/attribute/{method}/member-{member}.tsv"
    params:
        contents=contents_of("attribute_member"),


# maps of members are temporary: `combine_maps` itself depends on all that they depend on
if settings.attribution.parts == 1:

    use rule map as map_member with:
        input:
            scene=ancient("results/scenes/{scene}.tif"),
            classifier=classifier_file_of,
            generators=generators_of,
            tiles=training_tiles_of,
            settings="results/settings/map/{method}.yaml",
            checksums=map_checksums_of,
        output:
            raster=temp("results/maps/members/{scene}/{method}-{member}.tif"),
            style=temp("results/maps/members/{scene}/{method}-{member}.qml"),
            checksum=temp("results/maps/members/{scene}/{method}-{member}.txt"),
        log:
            "results/logs/map/{scene}/{method}/member-{member}.log",
        benchmark:
            "results/benchmarks/map/{scene}/{method}/member-{member}.tsv"

else:

    use rule map as map_member_part with:
        input:
            scene=ancient("results/scenes/{scene}.tif"),
            classifier=classifier_file_of,
            generators=generators_of,
            tiles=training_tiles_of,
            settings="results/settings/map/{method}.yaml",
            checksums=map_checksums_of,
        output:
            raster=temp("results/maps/parts/{scene}/{method}-{member}/{scatteritem}.tif"),
            checksum=temp("results/maps/parts/{scene}/{method}-{member}/{scatteritem}.txt"),
        log:
            "results/logs/map/{scene}/{method}/member-{member}/{scatteritem}.log",
        benchmark:
            "results/benchmarks/map/{scene}/{method}/member-{member}/{scatteritem}.tsv"

    use rule join as join_member with:
        input:
            parts=ancient(
                gather.rows("results/maps/parts/{{scene}}/{{method}}-{{member}}/{scatteritem}.tif")
            ),
            checksums=gather.rows(
                "results/maps/parts/{{scene}}/{{method}}-{{member}}/{scatteritem}.txt"
            ),
        output:
            raster=temp("results/maps/members/{scene}/{method}-{member}.tif"),
            style=temp("results/maps/members/{scene}/{method}-{member}.qml"),
            checksum=temp("results/maps/members/{scene}/{method}-{member}.txt"),
        log:
            "results/logs/join/{scene}/{method}/member-{member}.log",
        benchmark:
            "results/benchmarks/join/{scene}/{method}/member-{member}.tsv"
