// Configure one offering, see a price preview with its age, and turn it into a quote.
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Age } from "../age";
import { body } from "../api";
import type { Chosen } from "../app";
import { Characteristics, type Values } from "./characteristics";
import { useLanguage } from "../language";
import { Refusal } from "../refusal";
import { useSession } from "../session";

type Draft = { quantity: string; discount: string; reason: string; characteristics: Values; priceBook: string };
const EMPTY: Draft = { quantity: "1", discount: "", reason: "", characteristics: {}, priceBook: "" };

/** The period of a recurring charge in words: "month", "3 month". */
function periodOf(item: { period?: { unit: string; length: number } | null }): string {
  if (!item.period) return "";
  return item.period.length === 1 ? item.period.unit : `${item.period.length} ${item.period.unit}`;
}

export function Configure({ chosen, onQuote }: { chosen: Chosen | null; onQuote: (quoteId: string) => void }) {
  const { say } = useLanguage();
  return (
    <section aria-labelledby="configure-title">
      <h2 id="configure-title">{say("configure")}</h2>
      {chosen ? (
        <Offering key={chosen.offeringId} chosen={chosen} onQuote={onQuote} />
      ) : (
        <p className="quiet">{say("chooseOffering")}</p>
      )}
    </section>
  );
}

function Offering({ chosen, onQuote }: { chosen: Chosen; onQuote: (quoteId: string) => void }) {
  const { say } = useLanguage();
  const { api, identity } = useSession();
  const [draft, setDraft] = useState(EMPTY);
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));

  const offering = useQuery({
    queryKey: [identity.tenant, "offering", chosen.publicationId, chosen.offeringId],
    queryFn: () =>
      body(
        api.catalog.GET("/catalog/v1/publications/{id}/offerings/{offeringId}", {
          params: { path: { id: chosen.publicationId, offeringId: chosen.offeringId } },
        }),
      ),
  });
  const books = useQuery({
    queryKey: [identity.tenant, "price-books"],
    queryFn: () => body(api.pricing.GET("/pricing/v1/price-books")),
  });
  const book = books.data?.items.find((one) => one.id === draft.priceBook) ?? books.data?.items[0];

  const adjustment = draft.discount
    ? { kind: "discountPercent" as const, value: draft.discount, reason: draft.reason }
    : undefined;
  const preview = useMutation({
    mutationFn: async () => {
      const checked = await body(
        api.catalog.POST("/catalog/v1/publications/{id}/configurations/validate", {
          params: { path: { id: chosen.publicationId } },
          body: {
            offeringId: chosen.offeringId,
            quantity: draft.quantity,
            characteristics: draft.characteristics,
            components: (offering.data?.components ?? [])
              .filter((component) => component.default > 0)
              .map((component) => ({ offeringId: component.offeringId, quantity: String(component.default) })),
          },
        }),
      );
      if (!checked.valid || !book) return { checked, price: null };
      const price = await body(
        api.pricing.POST("/pricing/v1/price-previews", {
          body: {
            priceBookId: book.id,
            publicationId: chosen.publicationId,
            currency: book.currency,
            items: [{ itemId: "1", offeringId: chosen.offeringId, quantity: draft.quantity, adjustment }],
          },
        }),
      );
      return { checked, price };
    },
  });
  const quoting = useMutation({
    mutationFn: () =>
      body(
        api.quote.POST("/quote/v1/quotes", {
          params: { header: { "Idempotency-Key": crypto.randomUUID() } },
          body: {
            priceBookId: book?.id ?? "",
            publicationId: chosen.publicationId,
            currency: book?.currency ?? "",
            items: [
              { offeringId: chosen.offeringId, quantity: draft.quantity, characteristics: draft.characteristics, adjustment },
            ],
          },
        }),
      ),
    onSuccess: (quote) => onQuote(quote.id),
  });

  if (!offering.data) return <Refusal error={offering.error} />;
  const price = preview.data?.price;
  const problems = preview.data?.checked.problems ?? [];
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        preview.mutate();
      }}
    >
      <p>
        <strong>{offering.data.name}</strong> <span className="quiet">{offering.data.description}</span>
      </p>
      <label>
        {say("priceBook")}
        <select value={book?.id ?? ""} onChange={(event) => change({ priceBook: event.target.value })}>
          {books.data?.items.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name} ({one.currency})
            </option>
          ))}
        </select>
      </label>
      <label>
        {say("quantity")}
        <input name="quantity" inputMode="decimal" value={draft.quantity} onChange={(event) => change({ quantity: event.target.value })} />
      </label>
      <Characteristics
        characteristics={offering.data.characteristics}
        values={draft.characteristics}
        onChange={(characteristics) => change({ characteristics })}
      />
      <label>
        {say("discount")}
        <input name="discount" inputMode="decimal" value={draft.discount} onChange={(event) => change({ discount: event.target.value })} />
      </label>
      {draft.discount && (
        <label>
          {say("discountReason")}
          <input name="reason" required value={draft.reason} onChange={(event) => change({ reason: event.target.value })} />
        </label>
      )}
      {problems.length > 0 && (
        <div className="refusal" role="alert">
          <strong>{say("invalid")}</strong>
          <ul>
            {problems.map((problem) => (
              <li key={problem.pointer + problem.code}>
                <code>{problem.pointer}</code> {problem.detail}
              </li>
            ))}
          </ul>
        </div>
      )}
      <Refusal error={preview.error ?? quoting.error ?? books.error} />
      {price && (
        <div data-testid="preview">
          <h3>
            {say("price")} <Age since={price.calculatedAt} phrase="priceAge" />
          </h3>
          <table>
            <tbody>
              <tr>
                <td>{say("list")}</td>
                <td>{price.totals.list.amount}</td>
              </tr>
              {price.items.map((item) => (
                <tr key={`${item.itemId}-${item.priceType}-${periodOf(item)}`}>
                  <td>
                    {item.priceType === "oneTime" ? say("oneTime") : say("recurring", { period: periodOf(item) })} · {item.unit} ×{" "}
                    {item.quantity}
                  </td>
                  <td>{item.amount.amount}</td>
                </tr>
              ))}
              <tr className="total">
                <td>{say("net")}</td>
                <td data-testid="preview-net">
                  {price.totals.net.amount} {price.totals.net.currency}
                </td>
              </tr>
            </tbody>
          </table>
          <p className="quiet">{say("notEvidence")}</p>
        </div>
      )}
      <div className="actions">
        <button type="submit" disabled={preview.isPending || !book}>
          {preview.isPending ? say("working") : say("preview")}
        </button>
        <button type="button" className="primary" disabled={!price || quoting.isPending} onClick={() => quoting.mutate()}>
          {say("createQuote")}
        </button>
      </div>
    </form>
  );
}
