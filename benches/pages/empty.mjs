/** Nothing: what a page costs before anything is in it. */
export async function run() {
  return { samples: {} };
}
