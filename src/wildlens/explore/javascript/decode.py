"""From the text in the page to codes, and from codes to values."""

SCRIPT = r"""
const MISSING = 0, FIRST = 1, LAST = 255;  // codes

function bytesOf(text) {  // base64
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function inflated(text) {  // base64 of a zlib stream
  const stream = new Blob([bytesOf(text)]).stream();
  const plain = stream.pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

async function decoded(layer) {
  layer.codes = await Promise.all(layer.channels.map((channel) => inflated(channel.data)));
  for (const channel of layer.channels) delete channel.data;
  if (layer.colours) layer.colours = new Uint32Array(bytesOf(layer.colours).buffer);
  if (layer.brightness) layer.brightness = bytesOf(layer.brightness);
  layer.more = await Promise.all((layer.more ?? []).map(decoded));  // bands of members
  return layer;
}

const valueOf = (layer, code) => layer.offset + layer.scale * code;

function formatted(number, step) {  // no more digits than the step of the codes can tell apart
  const decimals = Math.max(0, Math.ceil(-Math.log10(step)));
  if (decimals <= 5) return number.toFixed(decimals).replace("-", "−");
  const digits = Math.floor(Math.log10(Math.abs(number))) + decimals;
  return digits < 0 || number === 0 ? "0" : number.toExponential(digits).replaceAll("-", "−");
}

function valueText(layer, index) {
  const texts = layer.codes.map((codes, channel) => {
    const code = codes[index];
    if (code === MISSING) return "no data";
    const beyond = code === FIRST && layer.below ? "≤ " : code === LAST && layer.above ? "≥ " : "";
    const label = layer.channels[channel].label;
    const text = beyond + formatted(valueOf(layer, code), layer.scale);
    return label ? `${label} ${text}` : text;
  });
  if (texts.every((text) => text === "no data")) return "no data";
  const more = layer.more.map((band) => `; ${valueText(band, index)}`);
  return texts.join(", ") + (layer.unit ? ` ${layer.unit}` : "") + more.join("");
}
"""
