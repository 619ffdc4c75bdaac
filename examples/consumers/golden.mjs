// Hold a consumer in JavaScript against golden samples; onnxruntime_node/classify.mjs and onnxruntime_web/ use it.

/** The numbers of an .npy file of float32 or uint8 (NumPy, format 1.0). */
function numbers(bytes) {
  const start = 10 + bytes[8] + 256 * bytes[9];
  const header = new TextDecoder("latin1").decode(bytes.subarray(10, start));
  const body = new Uint8Array(bytes.subarray(start)); // a copy: its buffer starts with the numbers
  if (header.includes("'|u1'")) return body;
  if (header.includes("'<f4'") && header.includes("False")) return new Float32Array(body.buffer);
  throw new Error(`cannot read an array of ${header}`);
}

const argmax = (row) => row.indexOf(Math.max(...row));

/** The largest difference, relative to the largest golden answer or to 1. */
function difference(answers, golden) {
  const [found, wanted] = [answers.flat(), golden.flat()];
  const scale = wanted.reduce((most, one) => Math.max(most, Math.abs(one)), 1);
  return wanted.reduce((most, one, index) => Math.max(most, Math.abs(found[index] - one)), 0) / scale;
}

/**
 * What a consumer answers for the stored tensors and for the stored images, against the stored answers.
 *
 * `read(name)` gives the bytes of a file of the golden folder, `answersOf(tensors)` an array of numbers for each tensor, and
 * `tensorOf(bytes)` the tensor of an encoded image.
 */
export async function compare({ consumer, versions, contract, read, answersOf, tensorOf }) {
  const index = JSON.parse(new TextDecoder().decode(await read("index.json")));
  if (JSON.stringify(index.labels) !== JSON.stringify(contract.labels)) throw new Error("the golden samples have other labels");
  const golden = [], tensors = [], images = [];
  for (const sample of index.samples) {
    golden.push(Array.from(numbers(await read(sample[index.output]))));
    tensors.push(numbers(await read(sample.input)));
    images.push(await tensorOf(await read(sample.image)));
  }
  const tolerance = index.tolerances.onnxruntime;
  const fromTensor = difference(await answersOf(tensors), golden);
  const answers = await answersOf(images);
  const same = answers.filter((row, position) => argmax(row) === argmax(golden[position]));
  return {
    consumer,
    versions,
    samples: golden.length,
    from_tensor: { relative_difference: fromTensor, tolerance, passed: fromTensor <= tolerance },
    from_file: { relative_difference: difference(answers, golden), top1_agreement: same.length / golden.length },
  };
}
