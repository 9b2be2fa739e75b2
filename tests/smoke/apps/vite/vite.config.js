export default { base: "./", build: { assetsInlineLimit: 0, target: "es2022" }, worker: { format: "es" } };
