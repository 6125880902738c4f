// Choose a tenant and a role. Only a process with the development issuer answers here.
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useLanguage } from "../language";
import { Refusal } from "../refusal";
import { useSessionState } from "../session";

type Identities = { tenants: string[]; identities: { subject: string; roles: string[]; title: string }[] };

export function SignIn() {
  const { say } = useLanguage();
  const { signIn } = useSessionState();
  const known = useQuery({
    queryKey: ["identities"],
    queryFn: async (): Promise<Identities> => {
      const response = await fetch("/dev/v1/identities");
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return response.json();
    },
  });
  const [tenant, setTenant] = useState("");
  const [subject, setSubject] = useState("");
  const entering = useMutation({ mutationFn: signIn });

  const tenants = known.data?.tenants ?? [];
  const identities = known.data?.identities ?? [];
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const identity = identities.find((one) => one.subject === subject) ?? identities[0];
    const home = tenant || tenants[0];
    if (identity && home) entering.mutate({ tenant: home, subject: identity.subject, roles: identity.roles });
  };

  return (
    <form className="sign-in" onSubmit={submit}>
      <h2>{say("signIn")}</h2>
      <label>
        {say("tenant")}
        <select name="tenant" value={tenant} onChange={(event) => setTenant(event.target.value)}>
          {tenants.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label>
        {say("role")}
        <select name="subject" value={subject} onChange={(event) => setSubject(event.target.value)}>
          {identities.map((identity) => (
            <option key={identity.subject} value={identity.subject}>
              {identity.title}
            </option>
          ))}
        </select>
      </label>
      <p className="quiet">{say("signInHint")}</p>
      <Refusal error={known.error ?? entering.error} />
      <button className="primary" type="submit" disabled={!known.data || entering.isPending}>
        {say("signIn")}
      </button>
    </form>
  );
}
