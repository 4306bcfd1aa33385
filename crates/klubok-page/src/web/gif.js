// @ts-check
// An animated GIF: one palette for all frames, and of each frame what differs from the one before, compressed by LZW.

/** A palette has 256 places: one says that a pixel stays as it was. */
const MOST_COLOURS = 255;
const STAYS = 255;
/** No place of a palette: nothing has been shown yet. */
const NOTHING = 256;
/** How far a pixel may be from its colour, over the channels, and stay as it was: noise that hardly moves takes no room. */
const TOLERANCE = 24;
/** Colours are told apart by the upper five bits of each channel. */
const CELLS = 1 << 15;

/** @typedef {{ weight: number, colour: number[] }} Cell the mean of the colours that share their upper bits */
/** @typedef {{ cells: Cell[], mean: number[], axis: number, spread: number }} Box cells that become one colour */

/** @param {Uint8ClampedArray} pixels @param {number} i of the first byte */
const cellAt = (pixels, i) => ((pixels[i] >> 3) << 10) | ((pixels[i + 1] >> 3) << 5) | (pixels[i + 2] >> 3);

/** Counts the colours of frames, for a palette that fits all of them. */
export function colourCount() {
  const [counts, ...sums] = Array.from({ length: 4 }, () => new Float64Array(CELLS));

  /** @param {Uint8ClampedArray} pixels */
  function add(pixels) {
    for (let i = 0; i < pixels.length; i += 4) {
      const cell = cellAt(pixels, i);
      counts[cell] += 1;
      for (let c = 0; c < 3; c++) sums[c][cell] += pixels[i + c];
    }
  }

  // Splits the colours that differ most, until there are as many as a palette has.
  function palette() {
    // By the root, so that a small picture counts beside a large ground.
    const cells = [...counts.keys()].filter((cell) => counts[cell] > 0)
      .map((cell) => ({ weight: Math.sqrt(counts[cell]), colour: sums.map((sum) => sum[cell] / counts[cell]) }));
    const boxes = [boxOf(cells)];
    while (boxes.length < MOST_COLOURS) {
      const widest = boxes.reduce((widest, box) => (box.spread > widest.spread ? box : widest));
      if (widest.spread < 1e-6) break;
      const { axis, mean } = widest;
      const isLow = (/** @type {Cell} */ { colour }) => colour[axis] <= mean[axis];
      boxes.splice(boxes.indexOf(widest), 1, boxOf(widest.cells.filter(isLow)), boxOf(widest.cells.filter((cell) => !isLow(cell))));
    }
    return boxes.map(({ mean }) => mean.map(Math.round));
  }

  return { add, palette };
}

/** @param {Cell[]} cells @returns {Box} */
function boxOf(cells) {
  const all = cells.reduce((sum, { weight }) => sum + weight, 0);
  const mean = [0, 1, 2].map((c) => cells.reduce((sum, { weight, colour }) => sum + weight * colour[c], 0) / all);
  const spreads = mean.map((m, c) => cells.reduce((sum, { weight, colour }) => sum + weight * (colour[c] - m) ** 2, 0));
  const spread = Math.max(...spreads);
  return { cells, mean, axis: spreads.indexOf(spread), spread };
}

/** @param {number[]} colour @param {Uint8ClampedArray} pixels @param {number} i of the first byte */
const distance = ([r, g, b], pixels, i) => Math.abs(r - pixels[i]) + Math.abs(g - pixels[i + 1]) + Math.abs(b - pixels[i + 2]);

/** Finds the nearest colours of a palette, each once. @param {number[][]} palette */
function nearestIn(palette) {
  const known = new Int16Array(CELLS).fill(-1);
  return (/** @type {Uint8ClampedArray} */ pixels, /** @type {number} */ i) => {
    const cell = cellAt(pixels, i);
    if (known[cell] >= 0) return known[cell];
    const distances = palette.map((colour) => distance(colour, pixels, i));
    return (known[cell] = distances.indexOf(Math.min(...distances)));
  };
}

/**
 * Encodes frames of one size, which repeat without end.
 * @param {number} width
 * @param {number} height
 * @param {number[][]} palette
 */
export function gifEncoder(width, height, palette) {
  const nearest = nearestIn(palette);
  let shown = new Uint16Array(width * height).fill(NOTHING);
  const table = Array.from({ length: 256 }, (_, i) => palette[i] ?? [0, 0, 0]).flat();
  /** @type {BlobPart[]} */
  const parts = [
    "GIF89a", new Uint8Array([...two(width), ...two(height), 0xf7, 0, 0, ...table]),
    new Uint8Array([0x21, 0xff, 11]), "NETSCAPE2.0", new Uint8Array([3, 1, 0, 0, 0]),
  ];

  /** @param {Uint8ClampedArray} pixels @param {number} milliseconds for which the frame is shown */
  function add(pixels, milliseconds) {
    const next = new Uint16Array(shown.length);
    // On the ground, the colour of the corner, every trace would be seen.
    const ground = nearest(pixels, 0);
    for (let i = 0; i < next.length; i++) {
      const own = nearest(pixels, 4 * i);
      const stays = own !== ground && shown[i] !== NOTHING && distance(palette[shown[i]], pixels, 4 * i) <= TOLERANCE;
      next[i] = stays ? shown[i] : own;
    }
    const { left, top, across, down } = changed(shown, next, width);
    const values = new Uint8Array(across * down);
    for (let i = 0; i < values.length; i++) {
      const at = (top + Math.floor(i / across)) * width + left + (i % across);
      values[i] = next[at] === shown[at] ? STAYS : next[at];
    }
    shown = next;
    parts.push(
      new Uint8Array([0x21, 0xf9, 4, 0b101, ...two(Math.round(milliseconds / 10)), STAYS, 0]),
      new Uint8Array([0x2c, ...two(left), ...two(top), ...two(across), ...two(down), 0, 8]),
      blocks(compressed(values)),
    );
  }

  return { add, finish: () => new Blob([...parts, new Uint8Array([0x3b])], { type: "image/gif" }) };
}

/** A number as two bytes, the lower first. @param {number} n */
const two = (n) => [n & 255, n >> 8];

/** The rectangle of what differs; a single pixel where nothing does. @param {Uint16Array} before @param {Uint16Array} after @param {number} width */
function changed(before, after, width) {
  let [left, top, right, bottom] = [width, before.length, -1, -1];
  for (let i = 0; i < after.length; i++) {
    if (before[i] === after[i]) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), y];
  }
  return right < 0 ? { left: 0, top: 0, across: 1, down: 1 } : { left, top, across: right - left + 1, down: bottom - top + 1 };
}

const CLEAR = 256;
const END = 257;
const MOST_CODES = 4096;
/** Places of the table of known sequences: a power of two, some more than there are codes. */
const PLACES = 8192;

/** LZW with codes of 9 to 12 bits, as GIF has it. @param {Uint8Array} values */
function compressed(values) {
  const out = new Uint8Array(2 * values.length + 16);
  const keys = new Int32Array(PLACES);
  const codes = new Uint16Array(PLACES);
  let [at, held, bits, size, next] = [0, 0, 0, 9, END + 1];
  const write = (/** @type {number} */ code) => {
    held |= code << bits;
    for (bits += size; bits >= 8; bits -= 8) {
      out[at++] = held & 255;
      held >>>= 8;
    }
  };
  // A reader makes a code one step later than this does, and then reads more bits.
  const widen = () => {
    if (next >= 1 << size && size < 12) size += 1;
  };
  const clear = () => {
    write(CLEAR);
    keys.fill(-1);
    [size, next] = [9, END + 1];
  };
  clear();
  let code = values[0];
  for (let i = 1; i < values.length; i++) {
    const key = (code << 8) | values[i];
    let place = Math.imul(key, 0x9e3779b1) >>> 19;
    while (keys[place] !== -1 && keys[place] !== key) place = (place + 1) % PLACES;
    if (keys[place] === key) {
      code = codes[place];
      continue;
    }
    write(code);
    if (next === MOST_CODES) {
      clear();
    } else {
      widen();
      [keys[place], codes[place]] = [key, next++];
    }
    code = values[i];
  }
  write(code);
  widen();
  write(END);
  if (bits > 0) out[at++] = held;
  return out.subarray(0, at);
}

/** Bytes in blocks of at most 255, each after its length; an empty one ends them. @param {Uint8Array} bytes */
function blocks(bytes) {
  const count = Math.ceil(bytes.length / 255);
  const out = new Uint8Array(bytes.length + count + 1);
  for (let i = 0; i < count; i++) {
    const block = bytes.subarray(255 * i, 255 * (i + 1));
    out[256 * i] = block.length;
    out.set(block, 256 * i + 1);
  }
  return out;
}
