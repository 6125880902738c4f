import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// In development the services answer behind one port; the console asks its own origin for everything.
const services = process.env.QUOIN_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  build: { outDir: "dist", sourcemap: false, assetsInlineLimit: 0 },
  server: {
    proxy: Object.fromEntries(
      ["/catalog/", "/pricing/", "/quote/", "/order/", "/inventory/", "/dev/"].map((path) => [path, services]),
    ),
  },
});
