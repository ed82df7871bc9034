# Settings: the merged configuration, defaults included, in the parts that steps read.
#
# Reads nothing. Gives results/settings/{section}.yaml, and one file per attribution method in
# results/settings/map and results/settings/attribute. Each step takes its own file, so that a
# changed value reruns the steps that read it and no others.


localrules:
    settings,
    method_settings,


rule settings:
    """Write a section of the configuration beside the results that it makes."""
    output:
        "results/settings/{section}.yaml",
    log:
        "results/logs/settings/{section}.log",
    wildcard_constraints:
        section="[a-z]+",
    params:
        text=lambda wildcards: dump_section(getattr(settings, wildcards.section)),
    shell:
        "printf '%s' {params.text:q} > {output:q} 2> {log:q}"


rule method_settings:
    """Write the attribution settings that one method reads, to map scenes or to attribute tiles."""
    output:
        "results/settings/{step}/{method}.yaml",
    log:
        "results/logs/settings/{step}/{method}.log",
    wildcard_constraints:
        step="map|attribute",
    params:
        text=method_settings_text,
    shell:
        "printf '%s' {params.text:q} > {output:q} 2> {log:q}"
