// The first journey in a real browser: sign in, browse, configure, preview, quote, approve, accept, watch the order.
// Needs a running `quoin dev` with the demo catalog: its address in QUOIN_URL. `make test` starts one.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const address = process.env.QUOIN_URL;
const browserPath = process.env.QUOIN_CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync);
const WAIT_MS = 30_000;
const output = new URL("output/", import.meta.url).pathname;

let browser;
before(async () => {
  assert.ok(address, "QUOIN_URL must name a running console");
  assert.ok(browserPath, "no Chromium found; set QUOIN_CHROMIUM");
  await mkdir(output, { recursive: true });
  browser = await chromium.launch({
    executablePath: browserPath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});
after(() => browser?.close());

async function openConsole(options = {}) {
  const page = await browser.newPage({ locale: "en-GB", ...options });
  page.setDefaultTimeout(WAIT_MS);
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(address);
  return { page, faults };
}

async function signIn(page, title) {
  const out = page.getByRole("button", { name: "Sign out" });
  if (await out.isVisible()) await out.click();
  await page.getByLabel("Role").selectOption({ label: title });
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByTestId("who").waitFor();
}

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const quoteState = async (page, state) => page.getByTestId("quote-state").filter({ hasText: new RegExp(`^${state}$`) }).waitFor();

async function configure(page, discount) {
  await page.getByLabel("Search offerings").fill("fiber");
  await page.getByTestId("offerings").getByRole("button").first().click();
  await page.getByLabel("Quantity").fill("2");
  if (discount) {
    await page.getByLabel("Discount %").fill(discount);
    await page.getByLabel("Reason for the discount").fill("Key account");
  }
  await press(page, "Preview price");
  await page.getByTestId("preview-net").waitFor();
}

async function ask(path, token, sent) {
  const headers = { "content-type": "application/json", "idempotency-key": crypto.randomUUID() };
  if (token) headers.authorization = `Bearer ${token}`;
  const method = sent ? "POST" : "GET";
  const answer = await fetch(new URL(path, address), { method, headers, body: sent && JSON.stringify(sent) });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

/** Somebody else, somewhere else, approves what the page shows. */
async function approve(tenant, quoteId) {
  const { identities } = await ask("/dev/v1/identities");
  const { subject, roles } = identities.find(({ title }) => title === "Approver");
  const { token } = await ask("/dev/v1/tokens", undefined, { tenant, subject, roles });
  const { currentRevision } = await ask(`/quote/v1/quotes/${quoteId}`, token);
  const path = `/quote/v1/quotes/${quoteId}/revisions/${currentRevision.revisionNo}/approve`;
  await ask(path, token, { contentHash: currentRevision.contentHash });
}

test("a sale goes from the catalog to a completed order", async () => {
  const { page, faults } = await openConsole();
  await signIn(page, "Sales representative");
  await configure(page);
  assert.match(await page.getByTestId("age-priceAge").innerText(), /calculated \d+ (s|min) ago/);
  const previewed = await page.getByTestId("preview-net").innerText();

  await press(page, "Create quote");
  await quoteState(page, "draft");
  await press(page, "Final price");
  await page.getByTestId("quote-net").waitFor();
  assert.equal(await page.getByTestId("quote-net").innerText(), previewed, "the sealed price equals its preview");
  await press(page, "Submit");
  await quoteState(page, "approved");
  await press(page, "Present");
  await quoteState(page, "presented");
  await press(page, "Accept");
  await page.getByTestId("order-state").filter({ hasText: /^completed$/ }).waitFor();
  await page.screenshot({ path: `${output}order-completed.png`, fullPage: true });
  assert.deepEqual(faults, []);
  await page.close();
});

test("a deep discount waits for an approver who did not ask for it", async () => {
  const { page } = await openConsole();
  await signIn(page, "Sales representative");
  await configure(page, "40");
  await press(page, "Create quote");
  await quoteState(page, "draft");
  await press(page, "Final price");
  await press(page, "Submit");
  await quoteState(page, "inApproval");
  await press(page, "Approve");
  await page.getByRole("alert").waitFor();
  await quoteState(page, "inApproval");

  await signIn(page, "Approver");
  await press(page, "Approve");
  await quoteState(page, "approved");
  await page.close();
});

test("the seller's page shows the approval of somebody else without being touched", async () => {
  const { page, faults } = await openConsole();
  await signIn(page, "Sales representative");
  await configure(page, "40");
  await press(page, "Create quote");
  await quoteState(page, "draft");
  await press(page, "Final price");
  await press(page, "Submit");
  await quoteState(page, "inApproval");

  const [, tenant] = (await page.getByTestId("who").innerText()).split(" · ");
  await approve(tenant, await page.getByTestId("quote-id").innerText());
  await quoteState(page, "approved");
  assert.deepEqual(faults, []);
  await page.close();
});

test("the page fits a phone, speaks Indonesian and works by keyboard", async () => {
  const { page } = await openConsole({ viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  await page.getByLabel("Role").waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), "SELECT");
  await signIn(page, "Sales representative");
  await page.getByLabel("Language").selectOption("id");
  await page.getByRole("heading", { name: /^Katalog/ }).waitFor();
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0, "nothing is wider than the phone");
  await page.screenshot({ path: `${output}phone-dark.png`, fullPage: true });
  await page.close();
});
