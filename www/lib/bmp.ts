// Pixels as a file. A bitmap file is a header and the pixels as they are, so writing one costs nothing, and all that is kept is a
// Blob, whose bytes the browser may put on disk.

import type { Pixels } from "./pixels.js";

const FILE_HEADER = 14;
/** The fourth version of the header, the first with a mask for alpha. */
const HEADER = 108;
/** Pixels are laid out as these masks say. */
const BITFIELDS = 3;

/** A Windows bitmap of 32 bits a pixel, the first row first, with alpha. */
export function bitmapFile({ width, height, bytes }: Pixels): Blob {
  const head = new DataView(new ArrayBuffer(FILE_HEADER + HEADER));
  const put = (at: number, ...words: number[]): void => words.forEach((word, i) => head.setUint32(at + 4 * i, word, true));
  head.setUint16(0, 0x4d42, true); // "BM"
  put(2, head.byteLength + bytes.length, 0, head.byteLength);
  // A negative height has the first row first.
  put(FILE_HEADER, HEADER, width, -height);
  head.setUint16(26, 1, true); // planes
  head.setUint16(28, 32, true); // bits a pixel
  put(30, BITFIELDS, bytes.length, 0, 0, 0, 0);
  // Red, green, blue and alpha, as the bytes lie.
  put(54, 0x000000ff, 0x0000ff00, 0x00ff0000, 0xff000000);
  // The colour space, sRGB.
  put(70, 0x73524742);
  return new Blob([head.buffer, bytes as Uint8Array<ArrayBuffer>], { type: "image/bmp" });
}
