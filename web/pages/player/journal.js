/** What has been received and seen in this viewing: the table of requests, the list of switches, the sums. */

import { $, h } from "./dom.js";
import * as words from "./words.js";

const ROWS_MAX = 200;
const RATED_BYTES_MIN = 8 * 1024; // smaller answers measure the delay, not the line
const TONE = { hit: "good", miss: "warn", shared: "warn", stale: "warn" };

export class Journal {
  constructor() {
    this.begun = performance.now();
    this.points = [];
    this.buffer = [];
    this.showing = "";
    this.fileBytes = null; // of a progressive file; a browser reports what it has fetched of it late
    this.sums = { requests: 0, hits: 0, judged: 0, bytes: 0 };
    for (const list of ["#requests", "#switches"]) $(list).replaceChildren();
    this.#sum({});
  }

  seconds() {
    return (performance.now() - this.begun) / 1000;
  }

  /** One answer: {what, number, server, cache, raw, bytes, milliseconds}. */
  received(answer) {
    const { bytes, milliseconds } = answer;
    const bitsPerSecond = bytes >= RATED_BYTES_MIN && milliseconds > 0 ? (bytes * 8000) / milliseconds : null;
    if (bitsPerSecond) this.points.push({ at: this.seconds(), bitsPerSecond, cache: answer.cache });
    this.#row(answer, bitsPerSecond);
    this.#sum(answer, bitsPerSecond);
  }

  /** The rendition on the screen is now `name`. */
  show(name, chosen) {
    if (!name || name === this.showing) return;
    const how = !this.showing ? "begins" : chosen ? "you chose it" : "the player chose it";
    const change = this.showing ? `${this.showing} → ${name}` : name;
    const at = words.clock(this.seconds());
    $("#switches").prepend(h("li", {}, h("span", { class: "soft number" }, at), h("b", {}, change), h("span", { class: "soft" }, how)));
    this.showing = name;
    $("#showing").textContent = name;
  }

  #row(answer, bitsPerSecond) {
    const cache = answer.cache === "unknown" ? "" : answer.cache;
    const row = h("tr", { title: answer.raw || null },
      h("td", { class: "number soft" }, words.clock(this.seconds())),
      h("td", {}, `${answer.what} `, h("span", { class: "soft" }, answer.number)),
      h("td", {}, answer.server),
      h("td", {}, cache && h("span", { class: `word ${TONE[cache] ?? ""}` }, cache)),
      h("td", { class: "number" }, words.bytes(answer.bytes)),
      h("td", { class: "number" }, words.milliseconds(answer.milliseconds)),
      h("td", { class: "number" }, words.rate(bitsPerSecond)));
    const rows = $("#requests");
    rows.prepend(row);
    while (rows.rows.length > ROWS_MAX) rows.deleteRow(-1);
  }

  #sum({ server, cache, bytes, file }, bitsPerSecond) {
    const sums = this.sums;
    if (server !== undefined) sums.requests += 1;
    if (cache && cache !== "unknown") sums.judged += 1;
    if (cache === "hit") sums.hits += 1;
    sums.bytes += bytes ?? 0;
    if (server) $("#server").textContent = server;
    $("#hits").textContent = sums.judged ? `${sums.hits} of ${sums.judged}` : "–";
    if (file) this.fileBytes = file;
    const received = words.bytes(this.fileBytes && !sums.bytes ? null : sums.bytes);
    $("#bytes").textContent = this.fileBytes ? `${received} of ${words.bytes(this.fileBytes)}` : received;
    if (bitsPerSecond || !sums.requests) $("#rate").textContent = words.rate(bitsPerSecond);
  }
}
