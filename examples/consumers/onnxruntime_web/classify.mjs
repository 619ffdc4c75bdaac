// An ONNX file of clf in a browser, on one thread of WebAssembly; index.html uses it.

import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";
import { contractOf, run, tensor } from "../clf.mjs";

ort.env.wasm.numThreads = 1; // more need a page that is isolated by two HTTP headers

/** Upright, 8 bits, RGB; what is transparent shows the background; colour profiles are ignored, as Pillow does. */
async function openRgb(bytes, [r, g, b]) {
  const options = { imageOrientation: "from-image", colorSpaceConversion: "none" };
  const bitmap = await createImageBitmap(new Blob([bytes]), options);
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  canvas.fillStyle = `rgb(${r} ${g} ${b})`;
  canvas.fillRect(0, 0, width, height);
  canvas.drawImage(bitmap, 0, 0);
  const rgba = canvas.getImageData(0, 0, width, height).data;
  return { data: rgba.filter((_, index) => index % 4 < 3), width, height };
}

/** The contract, the tensor of an encoded image, and what answers an array of numbers for each of some tensors. */
export async function load(bytes) {
  const contract = contractOf(bytes);
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  const tensorOf = async (encoded) => tensor(await openRgb(encoded, contract.preprocess.background), contract);
  const answersOf = (tensors) => run(session, ort.Tensor, tensors, contract);
  return { contract, tensorOf, answersOf, versions: { "onnxruntime-web": ort.env.versions.web } };
}
