/**
 * The player page. `?mode=dash|hls|progressive&quality=auto|720p` choose the way and the quality; what is
 * chosen on the page is written back there, so that an address can be handed on.
 */

import { drawBuffer, drawRates } from "./chart.js";
import { $, h } from "./dom.js";
import { Journal } from "./journal.js";
import * as dash from "./play-dash.js";
import * as hls from "./play-hls.js";
import * as progressive from "./play-progressive.js";
import { fetchTitle, keyOf, renditionNamed } from "./title.js";
import { undecodable } from "./trouble.js";
import * as words from "./words.js";

const WAYS = { dash, hls, progressive };
const SAMPLE_MILLISECONDS = 500;

const video = $("video");
let title, mode, quality, journal, playing;
let viewing = 0; // counts up: late words of an earlier viewing are not heard

function fail(trouble) {
  const known = trouble.remedy ? trouble : undecodable(trouble.message);
  $("#trouble").replaceChildren(h("p", {}, h("b", {}, known.message)), h("p", {}, known.remedy));
  $("#trouble").hidden = false;
}

function received(answer) {
  $("#trouble").hidden = true; // players try again by themselves, and this time it went well
  journal.received(answer);
}

function choices(name, entries, chosen, choose) {
  const group = $(`#${name}`);
  group.replaceChildren(...entries.map(([value, text]) =>
    h("label", {},
      h("input", { type: "radio", name, value, checked: value === chosen, onchange: () => choose(value) }),
      h("span", {}, text))));
}

function showChoices() {
  choices("mode", Object.entries(WAYS).map(([value, way]) => [value, way.label]), mode, (value) => start(value, quality));
  const renditions = title.renditions.map(({ name, bandwidth }) => [name, `${name} · ${words.rate(bandwidth)}`]);
  choices("quality", WAYS[mode].auto ? [["auto", "Auto"], ...renditions] : renditions, quality, chooseQuality);
  $("#about").textContent = WAYS[mode].about;
}

function remember() {
  document.body.dataset.mode = mode;
  document.body.dataset.quality = quality;
  history.replaceState(null, "", `?${new URLSearchParams({ mode, quality })}`);
}

function chooseQuality(value) {
  quality = value;
  remember();
  playing?.choose(value);
}

/** A quality that this way has: progressive has no "auto", so the middle one stands in. */
function possible(wanted, way) {
  if (renditionNamed(title, wanted)) return wanted;
  return way.auto ? "auto" : title.renditions[Math.floor((title.renditions.length - 1) / 2)].name;
}

async function start(wantedMode, wantedQuality) {
  const mine = (viewing += 1);
  playing?.stop();
  playing = null;
  mode = wantedMode in WAYS ? wantedMode : "dash";
  quality = possible(wantedQuality, WAYS[mode]);
  journal = new Journal();
  $("#trouble").hidden = true;
  remember();
  showChoices();
  const heard = (listen) => (...words) => mine === viewing && listen(...words);
  try {
    const begun = await WAYS[mode].play(video, title, quality, {
      received: heard(received),
      showing: heard((name) => journal.show(name, quality !== "auto")),
      failed: heard(fail),
    });
    if (mine === viewing) playing = begun;
    else begun.stop();
  } catch (trouble) {
    heard(fail)(trouble);
  }
}

function bufferedSeconds() {
  for (let i = 0; i < video.buffered.length; i += 1) {
    if (video.buffered.start(i) <= video.currentTime + 0.1 && video.currentTime <= video.buffered.end(i)) {
      return video.buffered.end(i) - video.currentTime;
    }
  }
  return 0;
}

function sample() {
  const [at, seconds] = [journal.seconds(), bufferedSeconds()];
  journal.buffer.push({ at, seconds });
  $("#buffer").textContent = `${seconds.toFixed(1)} s`;
  if (document.hidden) return;
  drawRates($("#rates-chart"), journal.points, title.renditions, at);
  drawBuffer($("#buffer-chart"), journal.buffer, at);
}

try {
  title = await fetchTitle(keyOf(location.pathname));
  document.title = `${title.name} · nearcast`;
  $("h1").textContent = title.name;
  $("#facts").textContent = `${words.clock(title.seconds)} · ${title.renditions.map((each) => each.name).join(" ")} · segments of ${title.segment_seconds} s`;
  const asked = new URLSearchParams(location.search);
  await start(asked.get("mode"), asked.get("quality"));
  sample();
  setInterval(sample, SAMPLE_MILLISECONDS);
} catch (trouble) {
  $("h1").textContent = "Nothing to play";
  fail(trouble);
}
