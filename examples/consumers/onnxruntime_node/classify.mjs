// Label (null: not sure enough) and probability of images, by an ONNX file of clf, in Node.
//
//   node classify.mjs model.onnx image.jpg ...
//   node classify.mjs model.onnx --golden golden/

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { answer, contractOf, run, tensor } from "../clf.mjs";
import { compare } from "../golden.mjs";

process.env.ORT_DISABLE_TELEMETRY ??= "1"; // else importing onnxruntime makes a device id and sends usage data
const ort = await import("onnxruntime-node");

/** Upright, 8 bits, RGB; what is transparent shows the background; colour profiles are ignored, as Pillow does. */
async function openRgb(source, [r, g, b]) {
  const image = sharp(source, { autoOrient: true, ignoreIcc: true }).flatten({ background: { r, g, b } });
  const { data, info } = await image.toColourspace("srgb").raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

const [model, ...paths] = process.argv.slice(2);
const contract = contractOf(await readFile(model));
const session = await ort.InferenceSession.create(model);
const tensorOf = async (source) => tensor(await openRgb(source, contract.preprocess.background), contract);
const answersOf = (tensors) => run(session, ort.Tensor, tensors, contract);

if (paths[0] === "--golden") {
  const versions = { "onnxruntime-node": ort.env.versions.node, sharp: sharp.versions.sharp };
  const read = (name) => readFile(join(paths[1], name));
  const report = await compare({ consumer: "onnxruntime_node", versions, contract, read, answersOf, tensorOf });
  console.log(JSON.stringify(report, null, 1));
  process.exitCode = report.from_tensor.passed ? 0 : 1;
} else {
  for (const path of paths) {
    const [output] = await answersOf([await tensorOf(path)]);
    console.log(JSON.stringify({ path, ...answer(output, contract) }));
  }
}
