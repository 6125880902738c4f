// Who is signed in. The token lives in memory only: a reload signs out.
import { createContext, type ReactNode, useContext, useMemo, useState } from "react";
import { type Clients, clients, Problem } from "./api";

export type Identity = { tenant: string; subject: string; roles: string[] };
export type Session = { identity: Identity; api: Clients };

type SessionState = {
  session: Session | null;
  signIn: (identity: Identity) => Promise<void>;
  signOut: () => void;
};

const Context = createContext<SessionState | null>(null);

async function developmentToken(identity: Identity): Promise<string> {
  const response = await fetch("/dev/v1/tokens", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(identity),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, answer);
  return answer.token;
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const [session, setSession] = useState<Session | null>(null);
  const state = useMemo<SessionState>(
    () => ({
      session,
      signIn: async (identity) => {
        const token = await developmentToken(identity);
        setSession({ identity, api: clients(token) });
      },
      signOut: () => setSession(null),
    }),
    [session],
  );
  return <Context.Provider value={state}>{children}</Context.Provider>;
}

export function useSessionState(): SessionState {
  const state = useContext(Context);
  if (!state) throw new Error("SessionProvider is missing");
  return state;
}

export function useSession(): Session {
  const { session } = useSessionState();
  if (!session) throw new Error("nobody is signed in");
  return session;
}
