// What an ONNX file of clf says of itself, and what it takes to follow it. Runs in browsers and in Node; imports nothing.

const KERNELS = { // half the width, and the weight at a distance below it
  bilinear: [1, (x) => 1 - x],
  bicubic: [2, (x) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2)],
  lanczos: [3, (x) => sinc(x) * sinc(x / 3)],
};
const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** The contract in the bytes of a file: onnxruntime shows no metadata here. A key and a value in protobuf's encoding. */
export function contractOf(bytes) {
  const key = new TextEncoder().encode("\n\fclf.contract\x12");
  let at = bytes.length - key.length;
  while (at >= 0 && !key.every((byte, index) => bytes[at + index] === byte)) at--;
  if (at < 0) throw new Error("this file was not exported by clf");
  at += key.length;
  let length = 0;
  for (let scale = 1; ; scale *= 128) { // seven bits a byte, the lowest first; the last byte has its highest bit clear
    length += (bytes[at] & 127) * scale;
    if (bytes[at++] < 128) break;
  }
  return JSON.parse(new TextDecoder().decode(bytes.subarray(at, at + length)));
}

/** Half to even, as Python and so Pillow's callers round. */
function round(x) {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 ? up - 1 : up;
}

/** One direction of a resize as Pillow does it, bit by bit: the kernel grows where it shrinks (antialiasing). */
function resizedRows({ data, width, height }, target, interpolation) {
  const scale = width / target;
  const [half, weight] = KERNELS[interpolation] ?? [0, null];
  const stretch = Math.max(scale, 1);
  const result = new Uint8Array(height * target * 3);
  for (let column = 0; column < target; column++) {
    const center = (column + 0.5) * scale;
    let first = Math.floor(center), weights = [1 << 22]; // nearest
    if (weight) {
      first = Math.max(0, Math.trunc(center - half * stretch + 0.5));
      const last = Math.min(width, Math.trunc(center + half * stretch + 0.5));
      weights = Array.from({ length: last - first }, (_, index) => weight(Math.abs(first + index - center + 0.5) / stretch));
      const sum = weights.reduce((a, b) => a + b, 0);
      weights = weights.map((one) => Math.round((one / sum) * (1 << 22))); // 22 bits, as Pillow's
    }
    for (let row = 0; row < height; row++) {
      for (let channel = 0; channel < 3; channel++) {
        let value = 1 << 21;
        for (let index = 0; index < weights.length; index++) {
          value += weights[index] * data[(row * width + first + index) * 3 + channel];
        }
        result[(row * target + column) * 3 + channel] = Math.min(255, Math.max(0, Math.floor(value / (1 << 22))));
      }
    }
  }
  return { data: result, width: target, height };
}

function transposed({ data, width, height }) {
  const result = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++) result[(x * height + y) * 3 + channel] = data[(y * width + x) * 3 + channel];
    }
  }
  return { data: result, width: height, height: width };
}

function resize(image, width, height, interpolation) {
  const wide = resizedRows(image, width, interpolation);
  return transposed(resizedRows(transposed(wide), height, interpolation));
}

/**
 * The network's input for one image, {data: RGB bytes, width, height}, upright and composited on `background`:
 * Uint8Array (H, W, 3), or normalised Float32Array (3, H, W).
 */
export function tensor(image, contract) {
  const { width, height, dtype } = contract.input;
  const { resize_mode: mode, crop_share: share, interpolation, background, mean, std } = contract.preprocess;
  let wide = round(width / share), high = round(height / share);
  if (mode === "crop") { // one scale for both sides, and what is too much is cut
    const scale = Math.max(wide / image.width, high / image.height);
    [wide, high] = [Math.max(width, round(image.width * scale)), Math.max(height, round(image.height * scale))];
  } else if (mode === "letterbox") { // one scale for both sides, with bars
    const scale = Math.min(width / image.width, height / image.height);
    [wide, high] = [Math.max(1, round(image.width * scale)), Math.max(1, round(image.height * scale))];
  }
  const { data } = resize(image, wide, high, interpolation);
  const left = Math.trunc((wide - width) / 2), top = Math.trunc((high - height) / 2); // negative: bars
  const pixels = new Uint8Array(height * width * 3), planes = new Float32Array(pixels.length), f = Math.fround;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inside = x + left >= 0 && x + left < wide && y + top >= 0 && y + top < high;
      for (let channel = 0; channel < 3; channel++) {
        const value = inside ? data[((y + top) * wide + x + left) * 3 + channel] : background[channel];
        pixels[(y * width + x) * 3 + channel] = value;
        planes[(channel * height + y) * width + x] = f(f(value / 255) - f(mean[channel])) / f(std[channel]);
      }
    }
  }
  return dtype === "uint8" ? pixels : planes;
}

/** What the network answers for some tensors in one batch: an array of numbers for each. `Tensor` is onnxruntime's class. */
export async function run(session, Tensor, tensors, { input, output }) {
  const all = new tensors[0].constructor(tensors.length * tensors[0].length);
  tensors.forEach((one, index) => all.set(one, index * one.length));
  const shape = input.dtype === "uint8" ? [input.height, input.width, 3] : [3, input.height, input.width];
  const feeds = { [input.name]: new Tensor(input.dtype, all, [tensors.length, ...shape]) };
  const { data, dims } = (await session.run(feeds))[output.name];
  return tensors.map((_, index) => Array.from(data.subarray(index * dims[1], (index + 1) * dims[1])));
}

/** Label (null: not sure enough) and probability, of the network's output for one image. */
export function answer(output, contract) {
  const logits = Array.from(output, contract.output.kind === "probabilities" ? (p) => Math.log(Math.max(p, 1e-30)) : (x) => x);
  const largest = Math.max(...logits);
  const shares = logits.map((one) => Math.exp((one - largest) / (contract.temperature ?? 1)));
  const best = shares.indexOf(1);
  const probability = 1 / shares.reduce((a, b) => a + b, 0);
  const least = contract.thresholds ? contract.thresholds[best] : 0; // null: never sure
  return { label: least !== null && probability >= least ? contract.labels[best] : null, probability };
}
