/** What went wrong, in one sentence, and what to do about it, in another. */

export class Trouble extends Error {
  constructor(sentence, remedy) {
    super(sentence);
    this.remedy = remedy;
  }
}

export function troubleOfStatus(status) {
  if (status === 404) return new Trouble("A file of this title is missing (404).", "Package the title again, or purge it if it was packaged again.");
  if (status === 502 || status === 504) {
    return new Trouble(`The content server could not get it from the origin (${status}).`, "Start the origin again; then reload this page.");
  }
  if (status === 503) return new Trouble("The content server is overloaded or shutting down (503).", "Reload this page: another one may be chosen.");
  return new Trouble(`The content server answered ${status}.`, "Its log says why. Reload this page to try again.");
}

export const unreachable = () =>
  new Trouble("The content server stopped answering.", "The player tries again for a while. Reload this page from the CDN’s own name: another server may be chosen.");

export const undecodable = (detail) =>
  new Trouble(`This browser cannot decode the video${detail ? ` (${detail})` : ""}.`, "Choose another quality or way of playing, or package the title again.");

/** The video element's own error (HTML 4.8.11.1). */
export function troubleOfVideo(error) {
  if (error?.code === MediaError.MEDIA_ERR_NETWORK) return unreachable();
  if (error?.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED) {
    return new Trouble("The file is missing or this browser cannot play it.", "Choose another quality or way of playing.");
  }
  return undecodable(error?.message);
}
