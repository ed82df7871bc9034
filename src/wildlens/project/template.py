"""Texts of a new project's files (Jinja)."""

TRAINING = ("north", "south")  # names of products to learn from, of which paths are filled in
TO_FILL = "FILL_IN"  # in paths that the user replaces

SNAKEFILE = """\
# The workflow of the installed package wildlens, with the config.yaml of this folder:
#   wildlens run        or        snakemake --cores all --resources gpu=1
from wildlens.project.workflow import snakefile


include: snakefile()


rule everything:
    default_target: True
    input:
        rules.all.input,
"""

CONFIGURATION = """\
# A WildLens project. Replace every FILL_IN without a # before it, then run in this folder:
#   wildlens doctor     checks settings, inputs and disk
#   wildlens run        does everything; results are in results/
# Paths start at this folder. A key that is left out has its default; all keys: docs/settings.md.

{% if models %}
models: # trained by another run; nothing is trained here
  classifier: {{ models.classifier | quoted }}
{% if models.generators %}
  generators: {{ models.generators | quoted }}
{% endif %}
{% if models.thresholds %}
  thresholds: {{ models.thresholds | quoted }} # of high attribution
{% endif %}

scene:
  bands: {{ models.bands | quoted }} # that the models were trained on

{% endif %}
inputs:
{% if training %}
  training: # Sentinel-2 L2A products with protected and with used land, to learn from
{% endif %}
{% for name in training %}
    - name: {{ name }} # short; names the results
      product: FILL_IN_{{ loop.index }}.SAFE # SAFE folder or zip, STAC item, GeoTIFF, band folder
{% endfor %}
  mapping: # products that are mapped
{% for name, path in products %}
    - name: {{ name | quoted }} # short; names the results
      product: {{ path | quoted }}
{% else %}
    - name: my_scene # short; names the results
      product: FILL_IN.SAFE # SAFE folder or zip, STAC item, GeoTIFF, or band folder
{% endfor %}
{% if landcover %}
  landcover: {{ landcover | quoted }}
{% else %}
  {{ "# " if models }}landcover: FILL_IN_U2018_CLC2018_V2020_20u1.tif # CORINE{{
    ": optional, for the classes below the maps" if models }}
{% endif %}
{% if areas %}
  areas: {{ areas | quoted }}
{% else %}
  {{ "# " if models }}areas: FILL_IN_WDPA.gpkg # protected areas (WDPA){{
    ": optional, for the statistics of each" if models }}
{% endif %}

{% if models %}
attribution:
  methods: {{ models.methods | quoted }} # occlusion is slow, and left out
  extras: [score] # maximized and minimized are X+ and X-
{% else %}
# Defaults of the settings that matter most:
# tiles: {size: 128} # pixels; the paper has 256
# classifier: {epochs: 36}
# gan: {steps: 600}
# attribution:
#   methods: [gan, minimizer, minimizer_contributions, minimizer_activation,
#             deeplift, occlusion, gradcam, activation]
{% endif %}
# compare: {before: NAME, after: NAME} # two dates of the same ground, named as in mapping
"""
