/** The control API from a page of its own host. Errors are sentences. */

export async function ask(path, order) {
  const request = order === undefined
    ? {}
    : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(order) };
  let response;
  try {
    response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(order ? 600_000 : 10_000), ...request });
  } catch {
    throw new Error("The control program does not answer.");
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw new Error(typeof answer?.detail === "string" ? answer.detail : `The control program answered ${response.status}.`);
}
