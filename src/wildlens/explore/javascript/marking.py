"""Which pixels are marked as high, and how well they agree with the target group."""

SCRIPT = r"""
// The lowest code at and above which at most a share of the valid pixels lies; LAST + 1: none.
// Equal codes are marked together or not at all.
function thresholdCode(codes, share) {
  const counts = new Uint32Array(LAST + 1);
  for (let i = 0; i < codes.length; i++) counts[codes[i]]++;
  const valid = codes.length - counts[MISSING], most = share * valid + 1e-6;
  let code = LAST + 1, marked = 0;
  while (code > FIRST && marked + counts[code - 1] <= most) marked += counts[--code];
  return { code: marked ? code : LAST + 1, marked, valid };
}

// Counts over the pixels that are valid and whose class is known.
function agreement(codes, code, classes, isTarget) {
  let known = 0, target = 0, marked = 0, both = 0;
  for (let i = 0; i < codes.length; i++) {
    if (codes[i] === MISSING || classes[i] === 0) continue;
    const high = codes[i] >= code, wanted = isTarget[classes[i]];
    known++;
    target += wanted;
    marked += high;
    both += high && wanted;
  }
  const union = marked + target - both;
  return { known, target, marked, both, iou: union ? both / union : NaN };
}

// 1 where a mask has a neighbour outside it
function borderOf(mask, width, height) {
  const border = new Uint8Array(mask.length);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!mask[i]) continue;
      border[i] =
        (x > 0 && !mask[i - 1]) || (x < width - 1 && !mask[i + 1]) ||
        (y > 0 && !mask[i - width]) || (y < height - 1 && !mask[i + width]) ? 1 : 0;
    }
  }
  return border;
}
"""
