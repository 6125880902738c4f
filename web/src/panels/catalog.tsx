// Browse and search the active publication; the age of the results is shown.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { Age } from "../age";
import { body, Problem } from "../api";
import type { Chosen } from "../app";
import { useLanguage } from "../language";
import { Refusal } from "../refusal";
import { useSession } from "../session";

const PAGE_LIMIT = 20;

export function Catalog({ chosen, onChoose }: { chosen: Chosen | null; onChoose: (chosen: Chosen) => void }) {
  const { say } = useLanguage();
  const { api, identity } = useSession();
  const [text, setText] = useState("");
  const query = useDeferredValue(text.trim());

  const active = useQuery({
    queryKey: [identity.tenant, "active-publication"],
    queryFn: () => body(api.catalog.GET("/catalog/v1/publications/active")),
  });
  const publicationId = active.data?.publicationId;
  const page = useQuery({
    queryKey: [identity.tenant, "offerings", publicationId, query],
    enabled: publicationId !== undefined,
    placeholderData: keepPreviousData,
    queryFn: () =>
      body(
        api.catalog.GET("/catalog/v1/publications/{id}/offerings", {
          params: { path: { id: publicationId ?? "" }, query: { q: query || undefined, limit: PAGE_LIMIT } },
        }),
      ),
  });
  const nothingActive = active.error instanceof Problem && active.error.status === 404;

  return (
    <section aria-labelledby="catalog-title">
      <h2 id="catalog-title">
        {say("catalog")} {page.data && <Age since={page.data.generatedAt} phrase="resultsAge" />}
      </h2>
      <label>
        {say("search")}
        <input type="search" value={text} onChange={(event) => setText(event.target.value)} />
      </label>
      {nothingActive ? <p className="quiet">{say("noPublication")}</p> : <Refusal error={active.error ?? page.error} />}
      {page.data?.items.length === 0 && <p className="quiet">{say("noOfferings")}</p>}
      <ul className="plain" data-testid="offerings">
        {page.data?.items.map((offering) => (
          <li key={offering.id}>
            <button
              type="button"
              className="offering"
              aria-pressed={offering.id === chosen?.offeringId}
              onClick={() => publicationId && onChoose({ publicationId, offeringId: offering.id })}
            >
              <span>{offering.name}</span>
              <small>
                {offering.externalId} · {offering.category ?? offering.kind}
              </small>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
