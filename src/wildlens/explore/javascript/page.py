"""The page itself: what is shown, and what follows when the reader changes something."""

SCRIPT = r"""
const COMPARISON = "comparison";  // in place of a layer's id: marked pixels and target group
const page = JSON.parse(byId("page").textContent);
const isTarget = new Uint8Array(256);
for (const index of page.targets) isTarget[index] = 1;
const state = { scene: null, layers: new Map(), code: LAST + 1, ready: false };
const model = (name) => Bokeh.documents[0].get_model_by_name(name);
const ndarray = (values, shape) =>
  Bokeh.require("core/util/ndarray").ndarray(values, { dtype: "uint32", shape });

const panels = () => [...document.querySelectorAll("#panels select")];
const landcover = () => state.layers.get("landcover");
const markedLayer = () => state.layers.get(byId("method").value);

function show(source, picture) {
  const scene = state.scene, [height, width] = scene.shape;
  const wide = width * scene.cell[0], tall = height * scene.cell[1];
  model(source).data = {
    image: [ndarray(picture, [height, width])],
    x: [scene.left], y: [scene.top - tall], dw: [wide], dh: [tall],
  };
}

function showPanel(number) {
  const id = panels()[number].value, classes = landcover()?.codes[0];
  const layer = state.layers.get(id), legend = byId(`legend-${number}`);
  if (id === COMPARISON) {
    const codes = markedLayer().codes[0];
    show(`image-${number}`, comparisonPicture(codes, state.code, classes, isTarget));
    legend.replaceChildren(...comparisonLegend(Boolean(classes)));
    return;
  }
  layer.picture ??= pictureOf(layer);
  show(`image-${number}`, layer.picture);
  legend.replaceChildren(
    ...(layer.kind === "classes" ? classLegend(layer, page)
      : layer.kind === "image" ? [element("div", { className: "note", textContent: layer.legend })]
      : rampLegend(layer)));
}

function showMarks() {
  const layer = markedLayer(), [height, width] = state.scene.shape;
  const picture = new Uint32Array(height * width), classes = landcover()?.codes[0];
  const draw = (mask, colour) => {
    const border = borderOf(mask, width, height);
    for (let i = 0; i < border.length; i++) if (border[i]) picture[i] = colour;
  };
  if (classes && byId("show-target").checked) {
    draw(classes.map((index) => isTarget[index]), TARGET_LINE);
  }
  if (layer && byId("show-marked").checked) {
    draw(layer.codes[0].map((code) => Number(code >= state.code)), MARKED_LINE);
  }
  show("marks", picture);
  panels().forEach((select, number) => {
    if (select.value === COMPARISON) showPanel(number);
  });
}

function mark() {
  const layer = markedLayer();
  for (const id of ["marking", "row-marked", "about-iou"]) byId(id).hidden = !layer;
  if (!layer) return showMarks();
  const codes = layer.codes[0], share = Number(byId("share").value) / 100;
  const found = thresholdCode(codes, share);
  state.code = found.code;
  byId("share-text").textContent = `at most ${byId("share").value} % of the scene`;
  const threshold = formatted(valueOf(layer, found.code - 0.5), layer.scale);
  const unit = layer.unit && ` ${layer.unit}`;
  const part = found.valid ? 100 * found.marked / found.valid : 0;
  byId("marked").textContent = found.marked
    ? `${part.toFixed(1)} % of the valid pixels are marked: ${threshold}${unit} or more`
    : "No pixel is marked: the highest values are equal, and more than this share";
  const classes = landcover()?.codes[0];
  byId("agreement").hidden = byId("about-iou").hidden = !classes;
  if (classes) {
    const result = agreement(codes, found.code, classes, isTarget);
    const all = result.known ? result.target / result.known : NaN;
    const text = (number) => (Number.isNaN(number) ? "–" : number.toFixed(3));
    byId("iou").textContent = text(result.iou);
    byId("all").textContent = text(all);
    byId("inside").textContent =
      result.marked ? `${(100 * result.both / result.marked).toFixed(0)} %` : "–";
  }
  showMarks();
}

function showOutlines() {
  const areas = byId("show-areas").checked ? state.scene.areas : [];
  const lines = areas.flatMap((area) => area.borders);
  model("outlines").data = { xs: lines.map((line) => line[0]), ys: lines.map((line) => line[1]) };
}

// ---- ranges: all panels share them, and a pixel is as wide as it is high

function view(west, south, east, north) {
  const plot = model("panel-0"), x = model("x"), y = model("y");
  const { frame_width: wide, frame_height: tall } = plot;
  const scale = 1.03 * Math.max((east - west) / wide, (north - south) / tall);
  const [across, down] = [scale * wide / 2, scale * tall / 2];
  x.setv({ start: (west + east) / 2 - across, end: (west + east) / 2 + across });
  y.setv({ start: (south + north) / 2 - down, end: (south + north) / 2 + down });
}

function viewAll() {
  const { left, top, shape, cell } = state.scene;
  view(left, top - shape[0] * cell[1], left + shape[1] * cell[0], top);
  for (const range of [model("x"), model("y")]) {
    range.setv({ reset_start: range.start, reset_end: range.end });
  }
}

function arrange() {  // size of the panels: as many as chosen, side by side
  const count = Number(byId("count").value), across = count === 4 ? 2 : count;
  const scene = state.scene, room = byId("panels").clientWidth - 14 * (across - 1);
  const [height, width] = scene.shape, ratio = height * scene.cell[1] / (width * scene.cell[0]);
  const wide = Math.max(160, Math.floor(room / across));
  const tall = Math.max(160, Math.min(Math.round(wide * ratio), Math.round(innerHeight * 0.72)));
  byId("panels").style.gridTemplateColumns = `repeat(${across}, ${wide}px)`;
  for (let number = 0; number < page.panels; number++) {
    byId(`cell-${number}`).hidden = number >= count;
    const plot = model(`panel-${number}`);
    plot.setv({ frame_width: wide, frame_height: tall, visible: number < count });
  }
  viewAll();
}

// ---- values under the pointer

function prepareReadout() {
  const rows = [...state.layers.values()].map((layer) => {
    layer.cell = element("td", { textContent: "–" });
    return element("tr", {}, element("th", { textContent: layer.title }), layer.cell);
  });
  byId("values").replaceChildren(...rows);
  for (const id of ["map-position", "degrees", "here"]) byId(id).textContent = "–";
  byId("row-here").hidden = !state.scene.areas.length;
}

function readOut(x, y) {
  const scene = state.scene, index = pixelAt(scene, x, y);
  if (index < 0) return;
  const decimals = scene.metres ? 0 : 5;
  byId("map-position").textContent = `${x.toFixed(decimals)}, ${y.toFixed(decimals)}`;
  byId("degrees").textContent = degreesText(degreesAt(scene, x, y));
  for (const layer of state.layers.values()) {
    layer.cell.textContent = layer.kind === "classes"
      ? page.classes[layer.codes[0][index]] ?? "unknown" : valueText(layer, index);
  }
  const here = scene.areas.filter((area) => contains(area, x, y));
  byId("here").textContent = here.map((area) => area.label).join("; ") || "none";
}

// ---- protected areas

function prepareAreas() {
  const { areas } = state.scene, column = page.columns.findIndex(([name]) => name === "name");
  byId("areas").hidden = !areas.length;
  byId("row-areas").hidden = !areas.length;
  for (const area of areas) {
    area.bounds = boundsOf(area);
    area.label = area.cells[column] || "without a name";
  }
  const head = page.columns.map(([, title]) => element("th", { textContent: title, scope: "col" }));
  byId("area-head").replaceChildren(element("tr", {}, ...head));
  byId("area-rows").replaceChildren(...areas.map((area) => {
    const cells = area.cells.map((text, i) => {
      if (i !== Math.max(0, column)) return element("td", { textContent: text || "–" });
      const button = element("button", { textContent: area.label, type: "button" });
      button.title = "Show this area";
      button.onclick = () => view(...area.bounds);
      return element("td", {}, button);
    });
    return element("tr", {}, ...cells);
  }));
}

// ---- scenes

function fill(select, options, wanted) {
  const before = select.value;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  const values = options.map(([value]) => value);
  select.value = [before, ...wanted].find((value) => values.includes(value)) ?? values[0];
}

function prepareChoices() {
  const layers = [...state.layers.values()];
  const found = layers.filter((layer) => ["attribution", "score"].includes(layer.kind));
  const options = layers.map((layer) => [layer.id, layer.title]);
  const name = landcover() ? "Marked pixels and target group" : "Marked pixels";
  if (found.length) options.push([COMPARISON, name]);
  const spare = layers.map((layer) => layer.id);
  panels().forEach((select, number) =>
    fill(select, options, [page.first[number], spare[number]]));
  fill(byId("method"), found.map((layer) => [layer.id, layer.title]), [page.first[0]]);
  byId("row-target").hidden = !landcover();
}

function initialShare() {  // the target group's own share of this scene
  const layer = markedLayer(), classes = landcover()?.codes[0];
  const found = layer && classes && agreement(layer.codes[0], 0, classes, isTarget);
  const share = found?.target ? found.target / found.known : 0.1;
  byId("share").value = Math.max(0.5, Math.round(200 * share) / 2);
}

async function showScene(number) {
  state.ready = false;
  document.body.classList.add("busy");
  const scene = JSON.parse(byId(`scene-${number}`).textContent);
  const layers = await Promise.all(scene.layers.map(decoded));
  state.scene = scene;
  state.layers = new Map(layers.map((layer) => [layer.id, layer]));
  byId("scene-text").textContent = scene.text;
  byId("crs").textContent = scene.crs;
  for (let i = 0; i < page.panels; i++) model(`scale-${i}`).visible = scene.metres;
  prepareChoices();
  prepareReadout();
  prepareAreas();
  initialShare();
  arrange();
  panels().forEach((_, i) => showPanel(i));
  mark();
  showOutlines();
  document.body.classList.remove("busy");
  state.ready = true;
}

async function start() {
  const bokeh = JSON.parse(byId("bokeh").textContent);
  await Bokeh.embed.embed_items(bokeh.documents, bokeh.items);
  for (let number = 0; number < page.panels; number++) {
    model(`panel-${number}`).on_event("mousemove", (event) => readOut(event.x, event.y));
    panels()[number].onchange = () => showPanel(number);
  }
  byId("scene").onchange = (event) => showScene(Number(event.target.value));
  byId("count").onchange = arrange;
  byId("all-of-it").onclick = viewAll;
  byId("share").oninput = mark;
  byId("method").onchange = mark;
  byId("show-marked").onchange = showMarks;
  byId("show-target").onchange = showMarks;
  byId("show-areas").onchange = showOutlines;
  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(arrange, 150);
  });
  await showScene(0);
}

start().catch((error) => {
  byId("problem").hidden = false;
  byId("problem").textContent =
    `This page cannot be shown: ${error.message}. It needs a browser of 2023 or later.`;
  throw error;
});
"""
