// How old what is shown is. Shown in whole seconds from the moment the authority computed it.
import { useEffect, useState } from "react";
import { useLanguage, type Word } from "./language";

const TICK_MS = 1_000;

function spoken(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3_600)} h`;
}

export function Age({ since, phrase }: { since: string; phrase: Word }) {
  const { say } = useLanguage();
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.round((now - Date.parse(since)) / 1_000));
  return (
    <time className="age" dateTime={since} data-testid={`age-${phrase}`}>
      {say(phrase, { age: spoken(seconds) })}
    </time>
  );
}
