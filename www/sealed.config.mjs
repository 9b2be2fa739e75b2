// Each sealed worker as one file: it can fetch no second one, and whoever wants to know what runs in it reads this one.

import { defineConfig } from "rolldown";

const DIST = new URL("../pkg/dist/", import.meta.url).pathname;

export default ["base", "relaxed", "relaxed-mt"].map((artefact) =>
  defineConfig({
    input: { [`sealed-${artefact}`]: `${DIST}sealed/${artefact}.js` },
    output: { dir: DIST, format: "es", minify: false },
  }),
);
