"""Coordinates: from the map to pixels, degrees and protected areas."""

SCRIPT = r"""
function pixelAt(scene, x, y) {  // index into codes; -1 outside the scene
  const column = Math.floor((x - scene.left) / scene.cell[0]);
  const row = Math.floor((scene.top - y) / scene.cell[1]);
  const [height, width] = scene.shape;
  return column < 0 || row < 0 || column >= width || row >= height ? -1 : row * width + column;
}

function degreesAt(scene, x, y) {  // [longitude, latitude], between nodes
  const { lon, lat } = scene.degrees, n = Math.round(Math.sqrt(lon.length));
  const [height, width] = scene.shape;
  const across = Math.min(n - 1, Math.max(0, (x - scene.left) / scene.cell[0] / width * (n - 1)));
  const down = Math.min(n - 1, Math.max(0, (scene.top - y) / scene.cell[1] / height * (n - 1)));
  const column = Math.min(n - 2, Math.floor(across)), row = Math.min(n - 2, Math.floor(down));
  const u = across - column, v = down - row, i = row * n + column;
  const between = (a) =>
    (1 - v) * ((1 - u) * a[i] + u * a[i + 1]) + v * ((1 - u) * a[i + n] + u * a[i + n + 1]);
  return [(between(lon) + 540) % 360 - 180, between(lat)];
}

function degreesText([lon, lat]) {
  const side = (value, letters) => `${Math.abs(value).toFixed(5)}° ${letters[value < 0 ? 1 : 0]}`;
  return `${side(lat, "NS")}, ${side(lon, "EW")}`;
}

function boundsOf(area) {  // west, south, east, north
  const [x, y] = [0, 1].map((axis) => area.rings.flatMap((ring) => ring[axis]));
  const least = (values) => values.reduce((a, b) => Math.min(a, b));
  const most = (values) => values.reduce((a, b) => Math.max(a, b));
  return [least(x), least(y), most(x), most(y)];
}

function contains(area, x, y) {  // even-odd rule over outer rings and holes
  const [west, south, east, north] = area.bounds;
  if (x < west || x > east || y < south || y > north) return false;
  let inside = false;
  for (const [xs, ys] of area.rings) {
    for (let i = 0, j = xs.length - 1; i < xs.length; j = i++) {
      if (ys[i] > y !== ys[j] > y &&
          x < (xs[j] - xs[i]) * (y - ys[i]) / (ys[j] - ys[i]) + xs[i]) inside = !inside;
    }
  }
  return inside;
}
"""
