/** Plays master.m3u8 with hls.js; where there are no Media Source Extensions, with the browser's own HLS. */

import { answeredBy } from "./cache-status.js";
import { library } from "./library.js";
import { describe, renditionOfHeight, urlOf } from "./title.js";
import { Trouble, troubleOfStatus, troubleOfVideo, undecodable, unreachable } from "./trouble.js";

export const label = "HLS";
export const auto = true;
export const about =
  "Apple’s way: a master playlist names one playlist per quality. It lists the same segments as DASH, so both fill the same cache.";

export async function play(video, title, quality, tell) {
  const Hls = await library("hls.min.js", "Hls");
  const source = urlOf(title, "master.m3u8");
  if (!Hls.isSupported()) return playNatively(video, source, tell);

  const hls = new Hls({ maxBufferLength: 20 });
  const level = (name) => hls.levels.findIndex((each) => renditionOfHeight(title, each.height)?.name === name);
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    if (quality !== "auto") hls.currentLevel = level(quality);
    video.play().catch(() => {}); // not before the reader has touched the page: then the button does it
  });
  for (const event of [Hls.Events.MANIFEST_LOADED, Hls.Events.LEVEL_LOADED, Hls.Events.FRAG_LOADED]) {
    hls.on(event, (_, loaded) => tellLoaded(title, tell, loaded));
  }
  hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level: to }) => {
    tell.showing(renditionOfHeight(title, hls.levels[to].height)?.name);
  });
  hls.on(Hls.Events.ERROR, (_, error) => {
    if (error.fatal || error.type === Hls.ErrorTypes.NETWORK_ERROR) tell.failed(trouble(Hls, error));
  });
  hls.loadSource(source);
  hls.attachMedia(video);

  return {
    choose: (name) => (hls.nextLevel = name === "auto" ? -1 : level(name)),
    stop: () => hls.destroy(),
  };
}

function tellLoaded(title, tell, { frag, stats, networkDetails, url }) {
  const { loading, loaded } = frag?.stats ?? stats;
  const field = (name) => networkDetails?.getResponseHeader?.(name) ?? null;
  tell.received({
    ...describe(title, frag?.url ?? url),
    ...answeredBy(field),
    bytes: loaded,
    milliseconds: loading.end - loading.start,
  });
}

function trouble(Hls, error) {
  if (error.response?.code >= 400) return troubleOfStatus(error.response.code);
  return error.type === Hls.ErrorTypes.NETWORK_ERROR ? unreachable() : undecodable(error.details);
}

function playNatively(video, source, tell) {
  if (!video.canPlayType("application/vnd.apple.mpegurl")) {
    throw new Trouble("This browser plays no HLS.", "Choose Progressive, or use a newer browser.");
  }
  const failed = () => tell.failed(troubleOfVideo(video.error));
  video.addEventListener("error", failed);
  video.src = source;
  video.play().catch(() => {});
  return {
    choose() {}, // the browser chooses
    stop() {
      video.removeEventListener("error", failed);
      video.removeAttribute("src");
      video.load();
    },
  };
}
