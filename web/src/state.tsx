// A state of a quote, order or task, with its tone.
const GOOD = ["approved", "presented", "accepted", "ordered", "won", "completed", "skipped", "done"];
const BAD = ["rejected", "failed", "cancelled", "declined", "expired", "lost", "fallout", "held"];

export function State({ value, testId }: { value: string; testId?: string }) {
  const tone = GOOD.includes(value) ? "good" : BAD.includes(value) ? "bad" : "wait";
  return (
    <span className="state" data-tone={tone} data-testid={testId}>
      {value}
    </span>
  );
}
