import { sveltekit } from "@sveltejs/kit/vite";

export default { plugins: [sveltekit()], worker: { format: "es" }, build: { assetsInlineLimit: 0 } };
