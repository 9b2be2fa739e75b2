/** The worker's end of `ask` in meter.mjs: calls the method of `methods` that a message names. */
export function answer(methods) {
  self.onmessage = async ({ data: [what, ...rest] }) => {
    try {
      postMessage({ value: await methods[what](...rest) });
    } catch (error) {
      postMessage({ error: String(error?.stack ?? error) });
    }
  };
}
