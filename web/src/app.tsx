// The map of the console: who is signed in, then catalog → configure and preview → quote → order on one page.
import { useState } from "react";
import { Catalog } from "./panels/catalog";
import { Configure } from "./panels/configure";
import { Order } from "./panels/order";
import { Quote } from "./panels/quote";
import { SignIn } from "./panels/sign-in";
import { type Language, useLanguage } from "./language";
import { useSessionState } from "./session";

export type Chosen = { publicationId: string; offeringId: string };

export function App() {
  const { session, signOut } = useSessionState();
  const { language, choose, say } = useLanguage();
  const [chosen, setChosen] = useState<Chosen | null>(null);
  // The quote outlives a change of role, so that an approver or a buyer can go on with it.
  const [quoteId, setQuoteId] = useState<string | null>(null);

  return (
    <>
      <header>
        <h1>{say("title")}</h1>
        <select aria-label={say("language")} value={language} onChange={(event) => choose(event.target.value as Language)}>
          <option value="en">English</option>
          <option value="id">Bahasa Indonesia</option>
        </select>
        {session && (
          <>
            <span className="quiet" data-testid="who">
              {session.identity.subject} · {session.identity.tenant}
            </span>
            <button type="button" onClick={signOut}>
              {say("signOut")}
            </button>
          </>
        )}
      </header>
      {session ? (
        <main key={session.identity.tenant}>
          <Catalog chosen={chosen} onChoose={setChosen} />
          <Configure chosen={chosen} onQuote={setQuoteId} />
          <Quote quoteId={quoteId} />
          <Order quoteId={quoteId} />
        </main>
      ) : (
        <SignIn />
      )}
    </>
  );
}
