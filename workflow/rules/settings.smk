# Settings: the merged configuration with its defaults, one file per section.
#
# Input: none. Output: results/settings/{section}.yaml, and one file per attribution method in
# results/settings/map and results/settings/attribute. Each step reads its own file, so that a
# changed value reruns only the steps that read it. results/settings/configuration.yaml has all
# sections, for `wildlens.open_run`: files of sections that a later run does not use stay here.


localrules:
    settings,
    method_settings,


rule settings:
    """Write a section of the configuration, or all of it, to the results."""
    output:
        "results/settings/{section}.yaml",
    log:
        "results/logs/settings/{section}.log",
    wildcard_constraints:
        section="[a-z]+",
    params:
        text=section_text,
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
