// The quote and the commands its state allows; the services decide, the page only offers.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { body, type Clients } from "../api";
import type { components } from "../api/quote";
import { useLanguage, type Word } from "../language";
import { quoteKey, toldKey, useNotices } from "../notices";
import { Refusal } from "../refusal";
import { useSession } from "../session";
import { State } from "../state";

type Revision = { revisionNo: number; state: string; contentHash?: string | null; priceStale: boolean };
type Target = { id: string; version: number; revision: Revision };
type Quoted = components["schemas"]["Quote"];
type Command = { word: Word; primary?: boolean; run: (api: Clients, target: Target) => Promise<Quoted> };

const path = (target: Target) => ({ id: target.id, n: target.revision.revisionNo });
const ifMatch = (target: Target) => ({ "If-Match": `"${target.version}"` });
const onceOnly = () => ({ "Idempotency-Key": crypto.randomUUID() });

const SEAL: Command = {
  word: "seal",
  primary: true,
  run: (api, target) =>
    body(api.quote.POST("/quote/v1/quotes/{id}/revisions/{n}/price", { params: { path: path(target), header: ifMatch(target) } })),
};
const SUBMIT: Command = {
  word: "submit",
  primary: true,
  run: (api, target) =>
    body(api.quote.POST("/quote/v1/quotes/{id}/revisions/{n}/submit", { params: { path: path(target), header: ifMatch(target) } })),
};
const APPROVE: Command = {
  word: "approve",
  primary: true,
  run: (api, target) =>
    body(
      api.quote.POST("/quote/v1/quotes/{id}/revisions/{n}/approve", {
        params: { path: path(target), header: onceOnly() },
        body: { contentHash: target.revision.contentHash ?? undefined },
      }),
    ),
};
const REJECT: Command = {
  word: "reject",
  run: (api, target) =>
    body(
      api.quote.POST("/quote/v1/quotes/{id}/revisions/{n}/reject", {
        params: { path: path(target), header: onceOnly() },
        body: { comment: "Rejected in the console." },
      }),
    ),
};
const PRESENT: Command = {
  word: "present",
  primary: true,
  run: (api, target) =>
    body(api.quote.POST("/quote/v1/quotes/{id}/revisions/{n}/present", { params: { path: path(target), header: ifMatch(target) }, body: {} })),
};
const ACCEPT: Command = {
  word: "accept",
  primary: true,
  run: (api, target) =>
    body(
      api.quote.POST("/quote/v1/quotes/{id}/revisions/{n}/accept", {
        params: { path: path(target), header: onceOnly() },
        body: { contentHash: target.revision.contentHash ?? "" },
      }),
    ),
};

function offered(revision: Revision): Command[] {
  switch (revision.state) {
    case "draft":
      return revision.priceStale ? [SEAL] : [SUBMIT];
    case "inApproval":
      return [APPROVE, REJECT];
    case "approved":
      return [PRESENT];
    case "presented":
      return [ACCEPT];
    default:
      return [];
  }
}

export function Quote({ quoteId }: { quoteId: string | null }) {
  const { say } = useLanguage();
  useNotices();
  return (
    <section aria-labelledby="quote-title">
      <h2 id="quote-title">{say("quote")}</h2>
      {quoteId ? <Current quoteId={quoteId} /> : <p className="quiet">{say("noQuote")}</p>}
    </section>
  );
}

function Current({ quoteId }: { quoteId: string }) {
  const { say } = useLanguage();
  const { api, identity } = useSession();
  const cache = useQueryClient();
  const key = quoteKey(identity, quoteId);
  const quote = useQuery({
    queryKey: key,
    queryFn: () => {
      // Never older than what this page has already seen or was told of: the summary comes through a cache.
      const seen = cache.getQueryData<Quoted>(key)?.version ?? 0;
      const known = Math.max(seen, cache.getQueryData<number>(toldKey(identity, quoteId)) ?? 0);
      const header = known === 0 ? undefined : { "Min-Version": known };
      return body(api.quote.GET("/quote/v1/quotes/{id}", { params: { path: { id: quoteId }, header } }));
    },
  });
  const command = useMutation({
    mutationFn: ({ chosen, target }: { chosen: Command; target: Target }) => chosen.run(api, target),
    // The answer of a command is the quote as it is now; after a refusal the service is asked again.
    onSuccess: (changed) => cache.setQueryData(key, changed),
    onError: () => cache.invalidateQueries({ queryKey: key }),
  });
  if (!quote.data) return <Refusal error={quote.error} />;

  const { currentRevision: revision, id, version } = quote.data;
  const target: Target = { id, version, revision };
  return (
    <>
      <p>
        <State value={revision.state} testId="quote-state" /> {say("revision", { n: String(revision.revisionNo) })}{" "}
        <code className="quiet" data-testid="quote-id">
          {id}
        </code>
      </p>
      <table>
        <tbody>
          {revision.items.map((item) => (
            <tr key={item.id}>
              <td>
                {item.name} × {item.quantity}
              </td>
              <td>{item.amount?.amount ?? "–"}</td>
            </tr>
          ))}
          {revision.totals && (
            <tr className="total">
              <td>{say("net")}</td>
              <td data-testid="quote-net">
                {revision.totals.net.amount} {revision.totals.net.currency}
              </td>
            </tr>
          )}
        </tbody>
      </table>
      {revision.state === "inApproval" && <p className="quiet">{say("approvalNeeded")}. {say("switchHint")}</p>}
      <Refusal error={command.error} />
      <div className="actions">
        {offered(revision).map((chosen) => (
          <button
            key={chosen.word}
            type="button"
            className={chosen.primary ? "primary" : undefined}
            disabled={command.isPending}
            onClick={() => command.mutate({ chosen, target })}
          >
            {say(chosen.word)}
          </button>
        ))}
      </div>
    </>
  );
}
