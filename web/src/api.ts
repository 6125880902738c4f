// One typed client per service, generated from its OpenAPI document; every refusal becomes a `Problem`.
import createClient, { type Middleware } from "openapi-fetch";
import type { paths as CatalogPaths } from "./api/catalog";
import type { paths as OrderPaths } from "./api/order";
import type { paths as PricingPaths } from "./api/pricing";
import type { paths as QuotePaths } from "./api/quote";

export type Pointer = { pointer: string; code: string; detail?: string };

/** A refusal in the form of RFC 9457. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly errors: Pointer[];
  readonly traceId?: string;

  constructor(status: number, body: { title?: string; detail?: string; code?: string; errors?: Pointer[]; traceId?: string }) {
    super(body.detail ?? body.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = body.code ?? "unknown";
    this.errors = body.errors ?? [];
    this.traceId = body.traceId;
  }
}

export function clients(token: string) {
  const signed: Middleware = {
    onRequest({ request }) {
      request.headers.set("authorization", `Bearer ${token}`);
      return request;
    },
    async onResponse({ response }) {
      if (response.ok) return undefined;
      const body = await response
        .clone()
        .json()
        .catch(() => ({}));
      throw new Problem(response.status, body);
    },
  };
  const of = <Paths extends object>() => {
    const client = createClient<Paths>({ baseUrl: window.location.origin });
    client.use(signed);
    return client;
  };
  return { catalog: of<CatalogPaths>(), pricing: of<PricingPaths>(), quote: of<QuotePaths>(), order: of<OrderPaths>() };
}

export type Clients = ReturnType<typeof clients>;

/** The body of an answer that the middleware has already found to be a success. */
export async function body<T>(answer: Promise<{ data?: T }>): Promise<T> {
  const { data } = await answer;
  if (data === undefined) throw new Problem(502, { title: "The service answered without a body." });
  return data;
}
