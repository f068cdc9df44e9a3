/** The title this page is about: `/watch/<key>` → `/<key>/title.json`. */

import { Trouble, troubleOfStatus } from "./trouble.js";

export const keyOf = (path) => decodeURIComponent(path.split("/").filter(Boolean)[1] ?? "");

export async function fetchTitle(key) {
  if (!key) throw new Trouble("This address names no title.", "Titles are at /watch/ followed by their name.");
  let response;
  try {
    response = await fetch(`/${encodeURIComponent(key)}/title.json`);
  } catch {
    throw new Trouble(`${location.host} does not answer.`, "It may have been stopped. Load the page again: another content server may be chosen.");
  }
  if (response.status === 404) {
    throw new Trouble(`There is no title “${key}” here.`, "Check the address, or pick a title on the status page.");
  }
  if (!response.ok) throw troubleOfStatus(response.status);
  try {
    return { key, ...(await response.json()) };
  } catch {
    throw new Trouble("The description of this title is not JSON.", "Package the title again.");
  }
}

export const urlOf = (title, path) => `/${encodeURIComponent(title.key)}/${path}`;

export const renditionNamed = (title, name) => title.renditions.find((each) => each.name === name);

/** The rendition of a picture size, as players report it. */
export const renditionOfHeight = (title, height) => title.renditions.find((each) => each.height === height);

/** What a URL of this title is: {what, number}: a rendition's name, "sound" or "manifest", and the segment. */
export function describe(title, url) {
  const [folder, file = ""] = new URL(url, location.href).pathname.split("/").slice(2).map(decodeURIComponent);
  if (/\.(mpd|m3u8)$/.test(file || folder)) return { what: "manifest", number: "" };
  const number = file === "init.mp4" ? "init" : file.replace(/\.\w+$/, "");
  if (folder === title.audio?.folder) return { what: "sound", number };
  const rendition = title.renditions.find((each) => each.folder === folder || each.progressive === `${folder}/${file}`);
  return { what: rendition?.name ?? folder, number: folder === rendition?.folder ? number : "file" };
}
