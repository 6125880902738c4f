// Writes src/api/<service>.d.ts from the OpenAPI documents that `make generate` keeps in docs/api.
// The types are rebuilt before every build and never edited, so the console cannot drift from the services.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const services = ["catalog", "pricing", "quote", "order", "inventory"];
const out = new URL("../src/api/", import.meta.url);
await mkdir(out, { recursive: true });
for (const service of services) {
  const document = JSON.parse(await readFile(new URL(`../../docs/api/${service}.json`, import.meta.url), "utf8"));
  const types = astToString(await openapiTS(document));
  await writeFile(new URL(`${service}.d.ts`, out), types);
}
console.log(`generated the client types of ${services.join(", ")}`);
