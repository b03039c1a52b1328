// Builds the page that ships in the wheel: few files of fixed names, so that a
// rebuild from the same sources gives the same bytes.
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    outDir: "page",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.md" },
    chunkSizeWarningLimit: 800,
    rolldownOptions: {
      output: {
        entryFileNames: "viewer.js",
        assetFileNames: "viewer[extname]",
        codeSplitting: false,
      },
    },
  },
});
