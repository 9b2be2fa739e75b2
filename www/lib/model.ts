/** The model that ships with Loupe. Bundlers see these addresses and carry the files along. */
export const builtIn = {
  text: new URL("./models/loupe-base-q8_0.gguf", import.meta.url),
  vision: new URL("./models/mmproj-loupe-base-q8_0.gguf", import.meta.url),
};
