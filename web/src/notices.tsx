// What happened to the signed-in user's quotes and orders: a long poll by cursor. A notice only says what is worth reading
// again; the page reads it from its service. While notices cannot be read the page polls instead.
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { body, type Clients, Problem } from "./api";
import type { components } from "./api/quote";
import { type Identity, useSession } from "./session";

type Notice = components["schemas"]["Notice"];

const WAIT_SECS = 10;
const AFTER_REFUSAL_MS = 5_000;

export const quoteKey = ({ tenant, subject }: Identity, quoteId: string) => [tenant, subject, "quote", quoteId];
export const toldKey = ({ tenant, subject }: Identity, quoteId: string) => [tenant, subject, "told", quoteId];

/** Reads again what notices tell of, for as long as the user is signed in. */
export function useNotices() {
  const { api, identity } = useSession();
  const cache = useQueryClient();
  useEffect(() => {
    const stop = new AbortController();
    const readAgain = (notice?: Notice) => refresh(cache, identity, notice);
    void follow(api, stop.signal, readAgain);
    return () => stop.abort();
  }, [api, identity, cache]);
}

function refresh(cache: QueryClient, identity: Identity, notice?: Notice) {
  if (!notice) {
    void cache.invalidateQueries({ queryKey: [identity.tenant, identity.subject, "quote"] });
    return;
  }
  if (notice.orderId) return; // The order's panel reads its order every second until it has ended.
  // The summary comes through a cache that may not have heard yet: nothing older than the notice will do.
  cache.setQueryData<number>(toldKey(identity, notice.quoteId), (told = 0) => Math.max(told, notice.version));
  void cache.invalidateQueries({ queryKey: quoteKey(identity, notice.quoteId) });
}

async function follow(api: Clients, signal: AbortSignal, readAgain: (notice?: Notice) => void) {
  let cursor: string | undefined;
  while (!signal.aborted) {
    try {
      const query = { cursor, waitSecs: WAIT_SECS };
      const told = await body(api.quote.GET("/quote/v1/notifications", { params: { query }, signal }));
      cursor = told.nextCursor ?? cursor;
      told.items.forEach(readAgain);
      if (!told.available) {
        readAgain();
        await pause((told.pollAfterSecs ?? WAIT_SECS) * 1_000, signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      // A cursor that the service does not know any more: from the beginning.
      if (error instanceof Problem && error.status === 400) cursor = undefined;
      await pause(AFTER_REFUSAL_MS, signal);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
