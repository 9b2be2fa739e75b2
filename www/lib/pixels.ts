// Pictures in formats that the runtime cannot read but the browser can, AVIF say.

/** RGBA, four bytes a pixel, row by row, not premultiplied. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly bytes: Uint8Array;
}

/** Beyond this a canvas would take more memory than a tab should give. */
export const MOST_PIXELS = 100e6;

/** Whether the runtime reads this format itself: PNG, JPEG, GIF, WebP or BMP, told by the first bytes. */
export function isKnownFormat(bytes: Uint8Array): boolean {
  const head = String.fromCharCode(...bytes.subarray(0, 12));
  return /^(\x89PNG|\xff\xd8\xff|GIF8|RIFF[^]{4}WEBP|BM)/.test(head);
}

/**
 * What the browser makes of the file, upright; undefined where it cannot read it either. A picture that is too large
 * comes without bytes: the runtime says so when it sees the size.
 */
export async function decodeInBrowser(file: Blob): Promise<Pixels | undefined> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none" }).catch(() => undefined);
  return bitmap && pixelsOf(bitmap);
}

/**
 * The pixels of `bitmap`, which is closed: without bytes where they would be too many, undefined where there is no room for them.
 *
 * Throws a `DOMException` named `SecurityError` when they are of another site that does not share them.
 */
export function pixelsOf(bitmap: ImageBitmap): Pixels | undefined {
  try {
    const { width, height } = bitmap;
    if (width * height > MOST_PIXELS) return { width, height, bytes: new Uint8Array() };
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    if (!context) return undefined;
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    return { width, height, bytes: new Uint8Array(data.buffer) };
  } finally {
    bitmap.close();
  }
}
