/** Plays manifest.mpd with dash.js. */

import { answeredBy } from "./cache-status.js";
import { library } from "./library.js";
import { describe, renditionNamed, renditionOfHeight, urlOf } from "./title.js";
import { troubleOfStatus, undecodable, unreachable } from "./trouble.js";

// dash.js's errors of manifest, content, init segment and index (core/errors/Errors.js)
const NOT_DOWNLOADED = [25, 27, 28, 29];

export const label = "DASH";
export const auto = true;
export const about =
  "Netflix’s way: the manifest lists every segment in every quality, and the player asks for one after the other, in the quality the line carries.";

export async function play(video, title, quality, tell) {
  const dashjs = await library("dash.all.min.js", "dashjs");
  const events = dashjs.MediaPlayer.events;
  const player = dashjs.MediaPlayer().create();
  player.updateSettings({
    debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE },
    streaming: {
      utcSynchronization: { enabled: false }, // asks a host outside
      lastBitrateCachingInfo: { enabled: false },
      lastMediaSettingsCachingInfo: { enabled: false },
      buffer: { bufferTimeAtTopQuality: 20, bufferTimeDefault: 20 },
    },
  });
  player.addResponseInterceptor(async (response) => {
    tellResponse(title, tell, response);
    return response;
  });
  player.on(events.QUALITY_CHANGE_RENDERED, (event) => {
    const to = event.mediaType === "video" && renditionOfHeight(title, event.newRepresentation?.height);
    if (to) tell.showing(to.name);
  });
  player.on(events.ERROR, ({ error }) => tell.failed(trouble(error)));

  const fix = (rendition) => ({
    streaming: {
      abr: {
        autoSwitchBitrate: { video: !rendition },
        initialBitrate: { video: rendition ? Math.ceil(rendition.bandwidth / 1000) : -1 },
      },
    },
  });
  player.updateSettings(fix(renditionNamed(title, quality)));
  player.initialize(video, urlOf(title, "manifest.mpd"), true);

  return {
    choose(name) {
      const rendition = renditionNamed(title, name);
      player.updateSettings(fix(rendition));
      const wanted = player.getRepresentationsByType("video").find((each) => each.height === rendition?.height);
      if (wanted) player.setRepresentationForTypeById("video", wanted.id, false);
    },
    stop: () => player.destroy(),
  };
}

function tellResponse(title, tell, response) {
  if (!(response.status >= 200 && response.status < 300)) return; // failures pass here too; ERROR tells of them
  const { request, headers = {}, resourceTiming: timing } = response;
  const fields = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const took = timing?.duration ?? (timing ? timing.responseEnd - timing.startTime : null);
  tell.received({
    ...describe(title, response.url || request.url),
    ...answeredBy((name) => fields.get(name) ?? null),
    bytes: response.data?.byteLength ?? response.data?.length ?? null,
    milliseconds: took,
  });
}

function trouble(error) {
  const status = error?.data?.response?.status;
  if (status >= 400) return troubleOfStatus(status);
  return NOT_DOWNLOADED.includes(error?.code) ? unreachable() : undecodable(error?.message);
}
