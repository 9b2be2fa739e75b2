/** SHA-256 in hex digits; undefined on pages that are not served securely, where browsers have none. */
export async function sha256(bytes: Uint8Array<ArrayBuffer> | string): Promise<string | undefined> {
  if (!globalThis.crypto?.subtle) return undefined;
  const digest = await crypto.subtle.digest("SHA-256", typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
