/**
 * Plays one whole file per quality. The browser fetches it by itself, so a page cannot see the fields of
 * its responses: a HEAD request asks the same content server what it has.
 */

import { answeredBy } from "./cache-status.js";
import { describe, renditionNamed, urlOf } from "./title.js";
import { troubleOfVideo } from "./trouble.js";

export const label = "Progressive";
export const auto = false;
export const about =
  "YouTube’s first way: one file per quality, played while it downloads. You choose the bit rate; nobody changes it for you.";

export async function play(video, title, quality, tell) {
  let path = "";
  const failed = () => video.error && tell.failed(troubleOfVideo(video.error));
  video.addEventListener("error", failed);

  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.initiatorType !== "video" || !entry.name.endsWith(path)) continue;
      tellFetched(title, tell, entry);
    }
  });
  observer.observe({ type: "resource" });

  function show(name) {
    const rendition = renditionNamed(title, name);
    const [position, paused] = [video.currentTime, video.paused && video.currentTime > 0];
    path = urlOf(title, rendition.progressive);
    video.src = path;
    if (position > 0) video.addEventListener("loadedmetadata", () => (video.currentTime = position), { once: true });
    if (!paused) video.play().catch(() => {});
    video.addEventListener("loadedmetadata", () => askWho(title, path, tell), { once: true });
    video.addEventListener("playing", () => tell.showing(name), { once: true });
  }
  show(quality);

  return {
    choose: show,
    stop() {
      observer.disconnect();
      video.removeEventListener("error", failed);
      video.removeAttribute("src");
      video.load();
    },
  };
}

async function askWho(title, path, tell) {
  try {
    const response = await fetch(path, { method: "HEAD" });
    tell.received({
      ...describe(title, path),
      number: "HEAD",
      ...answeredBy((name) => response.headers.get(name)),
      bytes: null,
      milliseconds: null,
      file: Number(response.headers.get("content-length")),
    });
  } catch {
    // the video element will say so itself, if it has no more than this
  }
}

function tellFetched(title, tell, entry) {
  tell.received({
    ...describe(title, entry.name),
    server: "",
    cache: "unknown",
    raw: "",
    bytes: entry.encodedBodySize || null,
    milliseconds: entry.responseEnd - entry.startTime,
  });
}
