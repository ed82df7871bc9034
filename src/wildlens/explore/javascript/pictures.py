"""Layers as RGBA images."""

SCRIPT = r"""
// bytes R, G, B, A in the order of memory, as canvases have them
const rgba = (r, g, b, a = 255) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
const BOTH = rgba(0, 158, 115), MARKED = rgba(213, 94, 0), TARGET = rgba(0, 114, 178);
const NEITHER = rgba(250, 250, 250), UNKNOWN = rgba(190, 190, 190);
const MARKED_LINE = rgba(255, 64, 0), TARGET_LINE = rgba(0, 229, 255);

function pictureOf(layer) {
  const first = layer.codes[0], picture = new Uint32Array(first.length);
  if (layer.kind !== "image") {
    for (let i = 0; i < first.length; i++) picture[i] = layer.colours[first[i]];
    return picture;
  }
  const [red, green, blue] = layer.codes.length === 3 ? layer.codes : [first, first, first];
  const bright = layer.brightness;
  for (let i = 0; i < first.length; i++) {
    if (first[i] !== MISSING) picture[i] = rgba(bright[red[i]], bright[green[i]], bright[blue[i]]);
  }
  return picture;
}

function comparisonPicture(codes, code, classes, isTarget) {
  const picture = new Uint32Array(codes.length);
  for (let i = 0; i < codes.length; i++) {
    if (codes[i] === MISSING) continue;
    const high = codes[i] >= code;
    if (!classes) picture[i] = high ? MARKED : NEITHER;
    else if (classes[i] === 0) picture[i] = UNKNOWN;
    else if (isTarget[classes[i]]) picture[i] = high ? BOTH : TARGET;
    else picture[i] = high ? MARKED : NEITHER;
  }
  return picture;
}
"""
