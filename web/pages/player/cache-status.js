/**
 * Who answered, and from where: read from Cache-Status (RFC 9211) and Via (RFC 9110 7.6.3).
 * The members of both fields run from the origin to the viewer, so the last one answered us.
 */

/** Splits at `separator` outside quoted strings. */
function split(text, separator) {
  const parts = [""];
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    if (quoted && text[i] === "\\") parts[parts.length - 1] += text[i++];
    else if (text[i] === '"') quoted = !quoted;
    if (text[i] === separator && !quoted) parts.push("");
    else parts[parts.length - 1] += text[i];
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

const unquoted = (text) => (text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, "$1") : text);

/** `a; hit; ttl=5, b; fwd=miss` → [{cache: "a", hit: true, ttl: "5"}, {cache: "b", fwd: "miss"}] */
export function parseCacheStatus(text) {
  return split(text ?? "", ",").map((member) => {
    const [name, ...parameters] = split(member, ";");
    const entry = { cache: unquoted(name) };
    for (const parameter of parameters) {
      const [key, ...value] = parameter.split("=");
      entry[key] = value.length ? unquoted(value.join("=")) : true;
    }
    return entry;
  });
}

/** What one cache did, in one word: hit, stale, miss, shared (waited for another's fill), passed. */
function outcome(entry) {
  if (entry.hit) return Number(entry.ttl) < 0 ? "stale" : "hit";
  if (entry.collapsed) return "shared";
  if (entry.fwd === "stale") return "stale";
  return entry.fwd?.endsWith("miss") || entry.fwd === "partial" ? "miss" : entry.fwd ? "passed" : "unknown";
}

/** `field(name)` gives a response field or null. Returns {server, cache, raw}. */
export function answeredBy(field) {
  const raw = field("cache-status") ?? "";
  const last = parseCacheStatus(raw).at(-1);
  const via = split(field("via") ?? "", ",").at(-1)?.split(/\s+/)[1];
  return { server: last?.cache ?? via ?? location.host, cache: last ? outcome(last) : "unknown", raw };
}
