"""HTML template of the page: nothing in it is loaded from elsewhere, and its policy forbids to."""

TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline';
 style-src 'unsafe-inline'; img-src data: blob:; font-src data:; form-action 'none';
 base-uri 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>WildLens: explore the maps</title>
<style>
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 1.2rem 1.5rem; }
body.busy { cursor: progress; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1rem; margin: 0 0 .4rem; }
p { margin: .4rem 0; max-width: 68rem; }
.warnings { border-left: 4px solid #d55e00; background: #fdf3ec; padding: .3rem .8rem; }
.calm { border-left: 4px solid #d9d9d9; padding: .3rem .8rem; }
.note { color: #666; font-size: .85rem; }
main { display: grid; grid-template-columns: minmax(0, 1fr) 21rem; gap: 1.4rem; margin-top: .8rem; }
@media (max-width: 900px) { main { grid-template-columns: minmax(0, 1fr); } }
.bar { display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; align-items: center; margin: .3rem 0; }
.bar label { color: #444; }
select, button { font: inherit; padding: .15rem .4rem; max-width: 100%; }
#panels { display: grid; gap: 14px; }
.cell > select { width: 100%; font-weight: 600; }
.legend { font-size: .85rem; min-height: 3rem; margin-top: .3rem; }
.ramp { height: .8rem; border: 1px solid #bbb; }
.ends { display: flex; justify-content: space-between; gap: 1rem; }
.ends span:last-child { text-align: right; }
ul.classes { list-style: none; margin: .2rem 0; padding: 0; max-height: 13rem; overflow-y: auto; }
.classes li { display: flex; gap: .5rem; align-items: baseline; line-height: 1.35; }
.swatch { flex: none; width: .9rem; height: .9rem; border: 1px solid #999; align-self: center; }
.box { border: 1px solid #d9d9d9; border-radius: 6px; padding: .5rem .9rem; margin-bottom: .9rem; }
aside .box { position: sticky; top: .8rem; }
.wide { flex: 1 1 18rem; display: flex; gap: .8rem; align-items: center; white-space: nowrap; }
#agreement { color: #444; }
#marked { color: #666; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .2rem .4rem .2rem 0;
  border-bottom: 1px solid #eee; font-variant-numeric: tabular-nums; }
th { color: #666; font-weight: 600; }
aside th { width: 45%; }
#areas { margin-top: 1.2rem; overflow-x: auto; }
#areas td, #areas th { padding-right: 1rem; }
#areas button { border: 0; background: none; padding: 0; color: #0072b2; cursor: pointer;
  text-align: left; }
input[type=range] { width: 100%; accent-color: #d55e00; }
.big { font-size: 1.4rem; color: #222; }
.line { display: inline-block; width: 1.1rem; border-top: 3px solid; vertical-align: middle;
  margin-right: .2rem; }
footer { color: #666; font-size: .85rem; margin-top: 1.4rem; }
</style>
</head>
<body>
<h1>Explore the maps</h1>
{% if origin %}
<p class="{{ "warnings" if simulated else "calm" }}"><b>The models of this run:
{{ origin }}.</b></p>
{% endif %}
{% for warning in warnings %}
<p class="warnings">{{ warning }}</p>
{% endfor %}
<p class="warnings" id="problem" hidden></p>
<noscript><p class="warnings">This page needs JavaScript, which is part of this file.</p></noscript>
{% if not scenes %}
<p>No scene was mapped: <code>inputs.mapping</code> is empty.</p>
{% else %}
<p class="note">Drag to move, scroll to zoom; all panels move together. Point at a pixel to read its
values.</p>
<div class="bar">
<label{{ " hidden" if scenes | length == 1 }}>Scene <select id="scene">
{% for scene in scenes %}
<option value="{{ loop.index0 }}">{{ scene.name }}</option>
{% endfor %}
</select></label>
{% if scenes | length == 1 %}
<b>Scene {{ scenes[0].name }}</b>
{% endif %}
<label>Panels <select id="count">
{% for number in range(1, panels + 1) %}
<option{{ " selected" if number == 3 }}>{{ number }}</option>
{% endfor %}
</select></label>
<button type="button" id="all-of-it">Whole scene</button>
</div>
<main>
<div>
<section class="box">
<div id="marking">
<div class="bar">
<label>Mark the highest values of <select id="method"></select></label>
<label class="wide"><span id="share-text"></span>
<input type="range" id="share" min="0.5" max="100" step="0.5"
 aria-label="Share of the scene to mark, %"></label>
</div>
<div class="bar">
<span id="agreement"><b class="big" id="iou"></b> IoU with {{ target_title }}; marking every pixel:
<span id="all"></span>; in the target group: <span id="inside"></span> of the marked
pixels</span>
<span id="marked"></span>
</div>
</div>
<div class="bar">
<label id="row-marked"><input type="checkbox" id="show-marked" checked>
<i class="line" style="color: #ff4000"></i>outline of marked pixels</label>
<label id="row-target"><input type="checkbox" id="show-target">
<i class="line" style="color: #00e5ff"></i>outline of the target group</label>
<label id="row-areas"><input type="checkbox" id="show-areas" checked>
<i class="line" style="color: #000"></i>protected areas</label>
</div>
</section>
<div id="panels">
{% for number in range(panels) %}
<div class="cell" id="cell-{{ number }}">
<select aria-label="Layer of panel {{ number + 1 }}"></select>
<div class="plot" id="panel-{{ number }}"></div>
<div class="legend" id="legend-{{ number }}"></div>
</div>
{% endfor %}
</div>
<p class="note" id="scene-text"></p>
<p class="note" id="about-iou">The IoU counts the displayed pixels with known land cover; target
group: {{ target_codes }}. The slider starts at the target group's own share of the scene.
The tables of the evaluation count every pixel, and use a threshold chosen on validation tiles.</p>
</div>
<aside>
<section class="box">
<h2>Pixel under the pointer</h2>
<table>
<tbody>
<tr><th><span id="crs"></span> x, y</th><td id="map-position"></td></tr>
<tr><th>Latitude, longitude</th><td id="degrees"></td></tr>
<tr id="row-here"><th>Area</th><td id="here"></td></tr>
</tbody>
<tbody id="values"></tbody>
</table>
</section>
</aside>
</main>
<section id="areas" hidden>
<h2>{{ areas_title }}</h2>
<p class="note">Shares and means are of the ground that mapped scenes show; the ring is the ground
around the area. {{ terms }}</p>
<table><thead id="area-head"></thead><tbody id="area-rows"></tbody></table>
</section>
<script type="application/json" id="page">{{ page | json }}</script>
<script type="application/json" id="bokeh">{{ bokeh | json }}</script>
{% for scene in scenes %}
<script type="application/json" id="scene-{{ loop.index0 }}">{{ scene | json }}</script>
{% endfor %}
<script>{{ library }}</script>
<script>
(() => {
"use strict";
{{ script }}
})();
</script>
{% endif %}
<footer>WildLens {{ version }}. {{ now }}. Drawn with Bokeh {{ bokeh_version }}, which is part of
this file: it loads nothing.</footer>
</body>
</html>
"""
