/** Decisions with their reasons, the rejected candidates too; and the form that asks for one. */

import { h } from "/player/dom.js";
import * as words from "/player/words.js";
import { ask } from "./api.js";
import { KINDS } from "./pops.js";

let shown = "";

export function decisionList(list, decisions) {
  const state = JSON.stringify(decisions);
  if (state === shown) return;
  shown = state;
  const open = new Set([...list.querySelectorAll("details[open]")].map((each) => each.dataset.key));
  const focused = document.activeElement?.closest?.("details")?.dataset.key;
  const items = decisions.map((decision) => {
    const key = `${decision.at} ${decision.client} ${decision.question}`;
    return h("li", {}, h("details", { "data-key": key, open: open.has(key) },
      h("summary", {},
        h("span", { class: "soft small number" }, words.timeOfDay(decision.at)),
        h("span", { class: "mono" }, decision.question),
        h("span", { class: "soft" }, `for ${decision.client} →`),
        chosen(decision)),
      reasons(decision)));
  });
  list.replaceChildren(...(items.length ? items : [h("li", { class: "soft" }, "No decision yet: nobody has asked the router.")]));
  if (focused) list.querySelector(`details[data-key="${CSS.escape(focused)}"] summary`)?.focus();
}

const chosen = (decision) =>
  h("b", { class: "mono" }, decision.servers.map((server) => server.name).join(", ") || "no healthy server");

function reasons(decision) {
  const rows = decision.candidates.map((each) => h("tr", { class: each.chosen ? "chosen" : null },
    h("td", {}, h("span", { class: "mono" }, each.pop), h("div", { class: "soft small" }, KINDS[each.kind] ?? each.kind)),
    h("td", { class: "number" }, each.distance_km == null ? "–" : `${words.count(Math.round(each.distance_km))} km`),
    h("td", { class: "number" }, words.percent(each.load)),
    h("td", { class: "number" }, each.healthy),
    h("td", {}, each.reason, each.chosen && h("b", {}, " ← chosen"))));
  return h("div", { class: "reasons" },
    h("p", { class: "small" }, `Routing zone ${decision.zone}: ${decision.zone_reason}. `,
      h("span", { class: "soft" }, `TTL ${decision.ttl_seconds} s · Snapshot ${decision.snapshot} · conditions ${decision.conditions}`)),
    decision.servers.length > 0 && h("p", { class: "small" }, "Answer: ",
      decision.servers.map((server, index) => [index ? ", " : "", h("span", { class: "mono" }, `${server.host} ${server.address}`)]).flat()),
    h("table", {},
      h("thead", {}, h("tr", {},
        h("th", { scope: "col" }, "PoP"), h("th", { scope: "col", class: "number" }, "distance"), h("th", { scope: "col", class: "number" }, "load"),
        h("th", { scope: "col", class: "number" }, "healthy"), h("th", { scope: "col" }, "reason"))),
      h("tbody", {}, rows)));
}

/** `form` has the fields url and client; the answer goes to `place`. */
export function openExplain(form, place) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const decision = await ask(`/v1/explain?${new URLSearchParams(new FormData(form))}`);
      place.replaceChildren(
        h("p", { class: "explained" }, h("span", { class: "mono" }, decision.question), ` for ${decision.client} → `, chosen(decision)),
        reasons(decision));
    } catch (fault) {
      place.replaceChildren(h("p", { class: "notice" }, fault.message));
    } finally {
      button.disabled = false;
    }
  });
}
