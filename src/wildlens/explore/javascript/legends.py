"""Legends below the panels. All text is set as text, never as markup."""

SCRIPT = r"""
const byId = (id) => document.getElementById(id);

function element(name, options = {}, ...children) {
  const { style, ...rest } = options, made = Object.assign(document.createElement(name), rest);
  if (style) Object.assign(made.style, style);
  made.append(...children);
  return made;
}

const cssColour = (colour) =>
  `rgb(${colour & 255}, ${(colour >> 8) & 255}, ${(colour >> 16) & 255})`;

function swatch(colour, ...text) {
  const box = element("i", { className: "swatch", style: { background: cssColour(colour) } });
  return element("li", {}, box, element("span", {}, ...text));
}

function rampLegend(layer) {
  const bar = element("div", { className: "ramp" });
  bar.style.background = `linear-gradient(to right, ${layer.ramp.join(", ")})`;
  const ends = layer.ends.map((text) => element("span", { textContent: text }));
  return [bar, element("div", { className: "ends" }, ...ends)];
}

function classLegend(layer, page) {  // the scene's classes, the most frequent first
  const counts = new Uint32Array(256);
  for (const code of layer.codes[0]) counts[code]++;
  const known = layer.codes[0].length - counts[0];
  const found = [...counts.keys()].filter((index) => index > 0 && counts[index]);
  found.sort((a, b) => counts[b] - counts[a]);
  const rows = found.map((index) => {
    const share = (100 * counts[index] / known).toFixed(1);
    const name = element(page.targets.includes(index) ? "b" : "span", {
      textContent: `${page.classes[index]} `,
    });
    return swatch(layer.colours[index], name, `${share} %`);
  });
  const note = element("div", { className: "note", textContent: "bold: target group" });
  return [note, element("ul", { className: "classes" }, ...rows)];
}

function comparisonLegend(withClasses) {
  const rows = withClasses
    ? [[BOTH, "marked, in the target group"], [MARKED, "marked, elsewhere"],
       [TARGET, "target group, not marked"], [NEITHER, "neither"], [UNKNOWN, "land cover unknown"]]
    : [[MARKED, "marked"], [NEITHER, "not marked"]];
  return [element("ul", { className: "classes" }, ...rows.map((row) => swatch(...row)))];
}
"""
