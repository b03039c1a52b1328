// Asks the server: uids, panel ids and values of variables, never SQL.

import type { Answer, Dashboard, Summary, Variables } from "./model";

/** The server said no, or does not answer. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly since: Date | null,
  ) {
    super(message);
  }
}

async function ask<T>(
  path: string,
  query: Record<string, string>,
  signal?: AbortSignal,
): Promise<T> {
  const search = new URLSearchParams(query).toString();
  let response: Response;
  try {
    response = await fetch(search ? `${path}?${search}` : path, {
      signal: signal ?? null,
      credentials: "omit",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal("The viewer does not answer.", 0, null);
  }
  if (response.ok) return (await response.json()) as T;
  const body = (await response.json().catch(() => ({}))) as {
    error?: string;
    since?: string;
  };
  const since = body.since ? new Date(body.since) : null;
  throw new Refusal(sentence(body.error ?? "the viewer failed"), response.status, since);
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return first.endsWith(".") ? first : `${first}.`;
}

function named(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`var-${name}`, value]),
  );
}

export const dashboards = () => ask<Summary[]>("api/dashboards", {});

export const dashboard = (uid: string) =>
  ask<Dashboard>(`api/dashboards/${encodeURIComponent(uid)}`, {});

export const variables = (
  uid: string,
  values: Record<string, string>,
  signal: AbortSignal,
) => ask<Variables>(`api/variables/${encodeURIComponent(uid)}`, named(values), signal);

export const panel = (
  uid: string,
  id: number,
  span: { from: number; to: number },
  values: Record<string, string>,
  signal: AbortSignal,
) =>
  ask<Answer>(
    `api/panels/${encodeURIComponent(uid)}/${id}`,
    { from: String(span.from), to: String(span.to), ...named(values) },
    signal,
  );
