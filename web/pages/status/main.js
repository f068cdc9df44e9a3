/** The status page: asks once a second how the CDN is; slower while nobody answers or looks. */

import { $ } from "/player/dom.js";
import * as words from "/player/words.js";
import { ask } from "./api.js";
import { decisionList, openExplain } from "./decisions.js";
import { drawMap } from "./map.js";
import { popCards } from "./pops.js";
import { titleList } from "./titles.js";

const EVERY_MILLISECONDS = 1000;
const BACK_OFF_MAX = 15_000;

let wait = EVERY_MILLISECONDS;
let lastAt = null;

function show(status) {
  document.title = `${status.zone} · nearcast`;
  $("h1").textContent = status.zone;
  const { requests, hit_ratio, bytes_sent, bytes_filled } = status.totals;
  const servers = status.pops.flatMap((pop) => pop.servers);
  $("#requests").textContent = words.count(requests);
  $("#hit-ratio").textContent = words.percent(hit_ratio);
  $("#sent").textContent = words.bytes(bytes_sent);
  $("#filled").textContent = words.bytes(bytes_filled);
  $("#healthy").textContent = `${servers.filter((each) => each.healthy).length} of ${servers.length}`;
  $("#numbers").textContent = `Snapshot ${status.snapshot}` + (status.router.conditions == null ? "" : ` · conditions ${status.router.conditions}`);
  $("#router-trouble").hidden = !status.router.trouble;
  $("#router-trouble-why").textContent = `The request router at ${status.router.address} cannot be asked: ${status.router.trouble}.`;
  drawMap($("#map"), status);
  popCards($("#pops"), status.pops);
  decisionList($("#decisions"), status.decisions);
}

function fresh(word, tone) {
  $("#fresh").className = `word ${tone}`;
  $("#fresh").textContent = word;
}

async function turn() {
  try {
    const status = await ask("/v1/status");
    lastAt = status.at;
    wait = EVERY_MILLISECONDS;
    fresh("live", "good");
    $("#trouble").hidden = true;
    show(status);
  } catch (fault) {
    wait = Math.min(wait * 2, BACK_OFF_MAX);
    fresh("not live", "bad");
    const since = lastAt ? ` What you see is of ${words.timeOfDay(lastAt)}.` : "";
    $("#trouble-why").textContent = `${fault.message}${since} Asking again every ${Math.round(wait / 1000)} s.`;
    $("#trouble").hidden = false;
  }
  setTimeout(turn, document.hidden ? Math.max(wait, 5000) : wait);
}

openExplain($("#explain"), $("#explained"));
titleList($("#titles"), $("#order-report"));
turn();
