"""HTML template of the page: no script, no external resource."""

TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>WildLens: summary of a run</title>
<style>
body { font: 16px/1.55 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto;
  padding: 0 1.5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; } h2 { margin-top: 3rem; border-top: 1px solid #d9d9d9;
  padding-top: 1.2rem; } h3 { margin-bottom: .3rem; }
nav a { margin-right: 1.2rem; }
a { color: #0072b2; }
figure { margin: 1.5rem 0 2.2rem; } img { max-width: 100%; height: auto; }
figcaption { color: #444; max-width: 46rem; }
table { border-collapse: collapse; font-size: .85rem; display: block; overflow-x: auto; }
th, td { padding: .2rem .4rem; text-align: left; border-bottom: 1px solid #e4e4e4;
  vertical-align: top; font-variant-numeric: tabular-nums; }
th { color: #666; font-weight: 600; }
td:first-child, .nowrap { white-space: nowrap; }
.warnings { border-left: 4px solid #d55e00; background: #fdf3ec; padding: .1rem 1rem; }
.calm { border-left: 4px solid #d9d9d9; padding: .1rem 1rem; }
.numbers { display: flex; flex-wrap: wrap; gap: 1rem; padding: 0; list-style: none; }
.numbers li { border: 1px solid #d9d9d9; border-radius: 6px; padding: .6rem 1rem; }
.numbers b { display: block; font-size: 1.5rem; }
pre { background: #f5f5f5; padding: .7rem 1rem; overflow-x: auto; font-size: .8rem; }
summary { cursor: pointer; font-weight: 600; } footer { color: #666; margin: 3rem 0; }
@media print { details { display: none; } h2 { break-before: page; } }
</style>
</head>
<body>
<h1>Where does protected nature look natural?</h1>
<nav><a href="#short">In short</a>
{% for title, _ in sections %}<a href="#s{{ loop.index }}">{{ title }}</a>{% endfor %}
<a href="#settings">Settings and provenance</a></nav>

<h2 id="short">In short</h2>
<p>A neural network, <em>the classifier</em>, learnt to distinguish satellite images of strictly
protected land (score 1) from land shaped by people (score 0). Two further networks then generated,
with as little change as possible, an image with a higher score (X+) and one with a lower score
(X−). The <em>attribution map</em> is the difference of the two generated images: it is high where
the classifier finds evidence for protected nature.</p>
{% if summary.origin %}
<p class="{{ "warnings" if "simulated" in summary.origin else "calm" }}"><b>The models of this run:
{{ summary.origin }}.</b></p>
{% endif %}
<ul class="numbers">
{% for row in summary.accuracy if row.split == "test" %}
<li><b>{{ row.accuracy | rounded }}</b>accuracy on {{ row.tiles }} test tiles</li>
{% endfor %}
{% for row in summary.scores if row.split == "test" %}
<li><b>{{ row.mean_score | rounded }}</b>mean score of {{ row.image }}</li>
{% endfor %}
{% for row in summary.methods if row.method == "gan" %}
<li><b>{{ row.iou | rounded }}</b>IoU of the paper's map with wetlands and bare land,<br>
{{ references.get(row.reference, row.reference) }}; 95 % interval {{ row.iou_low | rounded }} to
{{ row.iou_high | rounded }}<br>
marking every pixel: {{ row.target_share | rounded }}
{%- set best = summary.best_rival(row.reference) %}
{%- if best %}; the best other method, {{ best.method }}: {{ best.iou | rounded }}{% endif %}</li>
{% endfor %}
</ul>
<h3>Warnings of this run</h3>
<div class="{{ "warnings" if summary.warnings else "calm" }}">
{% for line in summary.warnings %}<p>{{ line }}</p>{% else %}
<p>None.</p>{% endfor %}
</div>
<h3>Results</h3>
<table>
{% for name, what in summary.places %}
<tr><td><a href="{{ name | urlencode }}">{{ name }}</a></td><td class="text">{{ what }}</td></tr>
{% endfor %}
{% for scene, methods in summary.maps.items() %}
<tr><td><a href="maps/{{ scene | urlencode }}">maps/{{ scene }}/</a></td><td class="text">
{% for method in methods %}
<a href="maps/{{ scene | urlencode }}/{{ method | urlencode }}.tif">{{ method }}</a>
{%- if not loop.last %}, {% endif %}
{% endfor %}
</td></tr>
{% endfor %}
</table>

{% for title, items in sections %}
<h2 id="s{{ loop.index }}">{{ loop.index }} {{ title }}</h2>
{% for item in items %}
<figure>
{% if item.picture %}
<img src="{{ item.picture }}" alt="{{ item.name }}">
{% else %}
<table>
<tr>{% for column in item.rows[0] %}<th>
{%- for word in column.split("_") %}{{ word }}{% if not loop.last %}_<wbr>{% endif %}{% endfor %}
</th>{% endfor %}</tr>
{% for row in item.rows %}
<tr>{% for value in row.values() %}<td>
{%- set found = value | parts %}
{%- for part in found %}
{%- if found | length > 1 %}<span class="nowrap">{{ part }}</span> {% else %}{{ part }}{% endif %}
{%- endfor %}</td>
{%- endfor %}</tr>
{% endfor %}
</table>
{% endif %}
<figcaption>{{ item.caption | safe }}
{% if item.file %}<p>{{ "All columns" if item.cut else "File" }}:
<a href="{{ item.file | urlencode }}">{{ item.file }}</a></p>{% endif %}</figcaption>
</figure>
{% endfor %}
{% endfor %}

<h2 id="settings">Settings and provenance</h2>
<p>WildLens {{ version }}. Each section of the configuration, defaults included:</p>
{% for name, text in summary.settings.items() %}
<details><summary>{{ name }}</summary><pre>{{ text }}</pre></details>
{% endfor %}
<h3>Conditions</h3>
<table>
{% for step, text in summary.conditions.items() %}
<tr><td>training: {{ step }}</td><td class="text">{{ text }}</td></tr>
{% endfor %}
<tr><td>this page</td><td class="text">{{ now }}</td></tr>
</table>
{% if summary.seconds %}
<h3>Computing time</h3>
<table><tr><th>step</th><th>sum over its jobs</th></tr>
{% for step, seconds in summary.seconds.items() %}
<tr><td>{{ step }}</td><td>{{ seconds | duration }}</td></tr>
{% endfor %}
</table>
{% endif %}
{% if summary.inputs %}
<h3>Inputs of the evaluation</h3>
<table><tr><th>file</th><th>digest of its content</th></tr>
{% for name, value in summary.inputs.items() %}
<tr><td>{{ name }}</td><td>{{ value }}</td></tr>
{% endfor %}
</table>
{% endif %}
<footer>The method: Emam, Stomberg and Roscher (2023), doi 10.1109/LGRS.2023.3335473.</footer>
</body>
</html>
"""
