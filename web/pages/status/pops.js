/** One card per PoP, one line per content server; kept and refreshed, never rebuilt under the reader's eyes. */

import { $, h } from "/player/dom.js";
import * as words from "/player/words.js";

export const KINDS = { isp: "inside an ISP", ixp: "at an exchange", cloud: "rented" };

const cards = new Map();

export function popCards(list, pops) {
  for (const pop of pops) {
    if (!cards.has(pop.name)) {
      cards.set(pop.name, h("ul", { class: "servers" }));
      list.append(h("li", { class: "panel" },
        h("div", { class: "pop-head" },
          h("h3", { class: "mono" }, pop.name), h("span", {}, pop.place.name),
          h("span", { class: `kind ${pop.kind}` }, KINDS[pop.kind] ?? pop.kind)),
        cards.get(pop.name)));
    }
    const servers = cards.get(pop.name);
    pop.servers.forEach((server, index) => refresh(servers.children[index] ?? newServer(servers), server));
  }
}

function newServer(servers) {
  const bar = (name, tone = "") =>
    h("div", { class: "meter" },
      h("span", { class: "soft small" }, name), h("span", { class: "value small number" }),
      h("div", { class: `bar ${tone}` }, h("span")));
  const row = h("li", {},
    h("div", { class: "server-head" }, h("b", { class: "mono name" }), h("span", { class: "word" }), h("span", { class: "soft small why" })),
    h("div", { class: "meters" }, bar("load"), bar("hits", "good"), bar("store")),
    h("p", { class: "soft small counts" }));
  servers.append(row);
  return row;
}

function refresh(row, server) {
  const statistics = server.statistics;
  $(".name", row).textContent = server.name;
  $(".name", row).title = `${server.host} · ${server.address}:${server.http_port}`;
  const [tone, word] = health(server);
  $(".word", row).className = `word ${tone}`;
  $(".word", row).textContent = word;
  $(".why", row).textContent = server.trouble ?? server.why;
  const [load, hits, store] = row.querySelectorAll(".meter");
  const stored = statistics?.cache_bytes_max ? statistics.cached_bytes / statistics.cache_bytes_max : null;
  meter(load, server.load ?? statistics?.load, words.percent(server.load ?? statistics?.load));
  load.lastChild.classList.toggle("warn", (server.load ?? 0) >= 0.8);
  meter(hits, server.hit_ratio, words.percent(server.hit_ratio));
  meter(store, stored, words.bytes(statistics?.cached_bytes));
  $(".counts", row).textContent = statistics
    ? `${words.count(statistics.requests)} requests · ${words.bytes(statistics.bytes_sent)} sent · ${words.bytes(statistics.bytes_filled)} filled` +
      (statistics.stale ? ` · ${words.count(statistics.stale)} stale` : "") +
      (statistics.errors ? ` · ${words.count(statistics.errors)} errors` : "")
    : "no statistics";
}

function health(server) {
  if (server.healthy === false) return ["bad", "down"];
  if (server.healthy && server.trouble) return ["warn", "healthy, admin port silent"];
  return server.healthy ? ["good", "healthy"] : ["", "unknown"];
}

function meter(element, ratio, text) {
  $(".value", element).textContent = text;
  $(".bar > span", element).style.width = `${Math.min(1, Math.max(0, ratio ?? 0)) * 100}%`;
}
