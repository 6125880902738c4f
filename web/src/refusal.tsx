// Shows why a command was refused, with the field each reason points to.
import { Problem } from "./api";

export function Refusal({ error }: { error: unknown }) {
  if (!error) return null;
  const problem = error instanceof Problem ? error : null;
  return (
    <div className="refusal" role="alert">
      <strong>{problem ? problem.message : String(error)}</strong>
      {problem && problem.errors.length > 0 && (
        <ul>
          {problem.errors.map((reason) => (
            <li key={reason.pointer + reason.code}>
              <code>{reason.pointer}</code> {reason.detail ?? reason.code}
            </li>
          ))}
        </ul>
      )}
      {problem?.traceId && <small>trace {problem.traceId}</small>}
    </div>
  );
}
