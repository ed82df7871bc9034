# Settings: one file a section of the merged configuration, defaults included.
#
# Reads nothing. Gives results/settings/{section}.yaml. Each step takes its own section's file, so
# that a changed value reruns the steps that use it and no others.


localrules:
    settings,


rule settings:
    """Write a section of the configuration beside the results that it makes."""
    output:
        "results/settings/{section}.yaml",
    log:
        "results/logs/settings/{section}.log",
    params:
        text=lambda wildcards: dump_section(getattr(settings, wildcards.section)),
    shell:
        "printf '%s' {params.text:q} > {output:q} 2> {log:q}"
