// Whatever picture a web page has, as a file that the engine reads.

import { bitmapFile } from "./bmp.js";
import { LoupeError } from "./error.js";
import { MOST_PIXELS, pixelsOf, type Pixels } from "./pixels.js";

/**
 * A picture: a file or its bytes, decoded pixels, an element that shows one, a frame of a video, or an address. Only the address that
 * is given is ever fetched; of another site it must allow this page to read it (CORS). `data:` addresses are not fetched at all.
 */
export type PictureSource =
  | Blob
  | BufferSource
  | ImageBitmap
  | ImageData
  | VideoFrame
  | OffscreenCanvas
  | HTMLCanvasElement
  | HTMLImageElement
  | HTMLVideoElement
  | URL
  | string;

/**
 * The picture as a file. What can change, a canvas or a video say, is taken as it is when this is called.
 *
 * Rejects with a `LoupeError`: `usage` for what is no picture at all, `picture` for one that shows nothing or may not be read,
 * `network` for an address that could not be fetched; and with the reason of `signal`.
 */
export async function fileOf(picture: PictureSource, signal?: AbortSignal): Promise<Blob> {
  signal?.throwIfAborted();
  const file = await read(picture, signal);
  signal?.throwIfAborted();
  return file;
}

/** The kind of `thing`, told by its tag: it may come from another window, and some kinds do not exist in some places. */
function tagOf(thing: unknown): string {
  return Object.prototype.toString.call(thing).slice("[object ".length, -1);
}

async function read(picture: PictureSource, signal: AbortSignal | undefined): Promise<Blob> {
  if (typeof picture === "string") return fetched(picture, signal);
  if (ArrayBuffer.isView(picture)) return new Blob([picture as ArrayBufferView<ArrayBuffer>]);
  const tag = tagOf(picture);
  switch (tag) {
    case "Blob":
    case "File":
      return picture as Blob;
    case "ArrayBuffer":
      return new Blob([picture as ArrayBuffer]);
    case "URL":
      return fetched((picture as URL).href, signal);
    case "ImageData":
      return bitmapFile(await pixelsOfData(picture as ImageData));
    case "HTMLImageElement":
      return shown(picture as HTMLImageElement, signal);
    case "HTMLVideoElement":
      if ((picture as HTMLVideoElement).readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
        throw new LoupeError("picture", "The video has no frame to look at yet; wait for its `loadeddata` event.");
      }
      return drawn(picture as HTMLVideoElement, tag);
    case "ImageBitmap":
    case "VideoFrame":
    case "OffscreenCanvas":
    case "HTMLCanvasElement":
      return drawn(picture as ImageBitmap, tag);
  }
  const given = picture === null || typeof picture !== "object" ? String(picture) : tag;
  throw new LoupeError(
    "usage",
    `This is no picture: ${given}. Give a Blob, bytes, an address, an ImageBitmap, ImageData, a VideoFrame, or an img, canvas or video element.`,
  );
}

/** Pixels without a colour space of their own are taken as they are, whatever their alpha. */
async function pixelsOfData(image: ImageData): Promise<Pixels> {
  const { width, height, data, colorSpace } = image;
  if (colorSpace !== "srgb" || !(data instanceof Uint8ClampedArray)) return pixelsIn(image, "ImageData");
  // Copied, for the picture is as it was when it was given.
  return { width, height, bytes: new Uint8Array(data) };
}

async function shown(image: HTMLImageElement, signal: AbortSignal | undefined): Promise<Blob> {
  if (!image.complete || image.naturalWidth === 0) {
    await image.decode().catch((cause: unknown) => {
      throw new LoupeError("picture", "The img element shows no picture; give it one that loads, and that has a size.", { cause });
    });
    signal?.throwIfAborted();
  }
  return drawn(image, "img element");
}

async function drawn(source: ImageBitmapSource, what: string): Promise<Blob> {
  return bitmapFile(await pixelsIn(source, what));
}

/** What `source` shows, as the browser draws it. */
async function pixelsIn(source: ImageBitmapSource, what: string): Promise<Pixels> {
  let pixels: Pixels | undefined;
  try {
    pixels = await pixelsOf(await createImageBitmap(source, { premultiplyAlpha: "none" }));
  } catch (cause) {
    const foreign = cause instanceof DOMException && cause.name === "SecurityError";
    const why = foreign
      ? "holds a picture of another site, which does not let this page read it; load it with `crossorigin`, from a server that allows it"
      : "shows nothing that could be read; wait until it has loaded, and do not close it before";
    throw new LoupeError("picture", `The ${what} ${why}.`, { cause });
  }
  if (pixels && pixels.bytes.length > 0) return pixels;
  const size = pixels ? `${pixels.width.toLocaleString("en")} × ${pixels.height.toLocaleString("en")} pixels` : "too many pixels";
  throw new LoupeError("picture", `The ${what} has ${size}, and at most ${MOST_PIXELS / 1e6} million are read; make it smaller.`);
}

async function fetched(address: string, signal: AbortSignal | undefined): Promise<Blob> {
  const url = whole(address);
  if (url.protocol === "data:") return inline(url.href);
  let response: Response;
  try {
    response = await fetch(url, signal ? { signal } : {});
    if (response.ok) return await response.blob();
  } catch (cause) {
    signal?.throwIfAborted();
    const how = "check the address; a server of another site must allow this page to read it (CORS)";
    throw new LoupeError("network", `The picture could not be fetched from ${url.host || url.protocol}: ${how}.`, { cause });
  }
  throw new LoupeError("network", `The picture could not be fetched from ${url.host}: the server answers with status ${response.status}.`);
}

function whole(address: string): URL {
  try {
    const url = new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href);
    // An extension's own files have a scheme of their own in each browser.
    if (/^(https?|blob|data|[a-z-]+-extension):$/.test(url.protocol)) return url;
  } catch {
    // Told below, as any other address that leads nowhere.
  }
  throw new LoupeError("usage", `"${address.slice(0, 80)}" is no address of a picture; give one that begins with https:, blob: or data:.`);
}

/** The file in a `data:` address, read here: a page's content security policy may well forbid to fetch it. */
function inline(address: string): Blob {
  const [, type = "", base64, data = ""] = /^data:([^,]*?)(;base64)?,([^]*)$/i.exec(address) ?? [];
  try {
    // An address is ASCII, with every other byte spelled out.
    const text = data.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    const bytes = Uint8Array.from(base64 ? atob(text) : text, (c) => c.charCodeAt(0));
    return new Blob([bytes], { type });
  } catch (cause) {
    throw new LoupeError("picture", "The data: address of the picture is damaged; make it anew.", { cause });
  }
}
