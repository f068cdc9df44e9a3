/**
 * An equirectangular map (a degree of longitude is as wide as a degree of latitude is high) of PoPs and
 * viewers, with its graticule and nothing else: it shows distances, not countries. A line leads from
 * each viewer to the PoP that its latest decision chose.
 */

import { s } from "/player/dom.js";
import { KINDS } from "./pops.js";

const HEIGHT_TO_WIDTH = 0.42;
const SPAN_DEGREES_MIN = 24;

let drawn = "";

export function drawMap(figure, status) {
  const viewers = status.viewers.filter((viewer) => viewer.place);
  const state = JSON.stringify([figure.clientWidth, viewers, status.pops.map(summary), links(status).map(([v, p]) => [v.name, p.name])]);
  if (state === drawn) return; // nothing has changed
  drawn = state;
  const places = [...status.pops.map((pop) => pop.place), ...viewers.map((viewer) => viewer.place)];
  const view = projection(places, figure.clientWidth || 720);
  const svg = s("svg", { viewBox: `0 0 ${view.width} ${view.height}`, width: "100%", role: "img", "aria-label": spoken(status, viewers) });
  svg.append(...graticule(view));
  for (const [viewer, pop] of links(status)) svg.append(arc(view, viewer.place, pop.place));
  for (const viewer of viewers) svg.append(viewerMark(view, viewer));
  for (const pop of status.pops) svg.append(popMark(view, pop));
  const labels = labelPlacer(view, places);
  for (const pop of status.pops) svg.append(labels(pop.place, pop.name, "pop-name"));
  for (const viewer of viewers) svg.append(labels(viewer.place, viewer.name, "viewer-name"));
  figure.replaceChildren(svg);
}

const healthyOf = (pop) => pop.servers.filter((server) => server.healthy).length;
const summary = (pop) => [pop.name, healthyOf(pop)];

function spoken(status, viewers) {
  const pops = status.pops.map((pop) => `${pop.name}, ${KINDS[pop.kind]} in ${pop.place.name}`).join("; ");
  return `Map. PoPs: ${pops}. Viewers: ${viewers.map((viewer) => `${viewer.name} in ${viewer.place.name}`).join("; ")}.`;
}

/** Which PoP serves which viewer, by the latest decision for each. */
function links(status) {
  const found = [];
  for (const viewer of status.viewers.filter((each) => each.place)) {
    const decision = status.decisions.find((each) => sameSubnet(each.client, viewer.client));
    const pop = status.pops.find((each) => each.name === decision?.servers[0]?.pop);
    if (pop) found.push([viewer, pop]);
  }
  return found;
}

/** A resolver may report the subnet only (203.0.113.0/24): enough octets must agree. */
function sameSubnet(client, viewer) {
  const [address, bits = "32"] = client.split("/");
  if (address.includes(":") || viewer.includes(":")) return address === viewer;
  const octets = Math.floor(Number(bits) / 8);
  return address.split(".").slice(0, octets).join() === viewer.split(".").slice(0, octets).join();
}

function projection(places, width) {
  const height = Math.round(Math.max(200, width * HEIGHT_TO_WIDTH));
  const middle = (values) => (Math.min(...values) + Math.max(...values)) / 2;
  const extent = (values) => Math.max(...values) - Math.min(...values);
  const [east, north] = [places.map((each) => each.longitude), places.map((each) => each.latitude)];
  const span = Math.min(360, Math.max(SPAN_DEGREES_MIN, extent(east) * 1.3, (extent(north) * 1.7 * width) / height));
  const scale = width / span;
  const [west, top] = [middle(east) - span / 2, middle(north) + height / scale / 2];
  const x = (place) => (place.longitude - west) * scale;
  const y = (place) => (top - place.latitude) * scale;
  return { width, height, scale, west, top, x, y, at: (place) => [x(place), y(place)] };
}

function graticule({ width, height, scale, west, top }) {
  const step = [5, 10, 15, 30, 60].find((degrees) => degrees * scale > 70) ?? 60;
  const marks = [];
  for (let at = Math.ceil(west / step) * step; at < west + width / scale; at += step) {
    const x = (at - west) * scale;
    const turned = ((at + 540) % 360) - 180;
    const name = `${Math.abs(turned)}°${turned < 0 ? " W" : turned > 0 ? " E" : ""}`;
    marks.push(s("line", { x1: x, x2: x, y1: 0, y2: height, class: "graticule" }), s("text", { x: x + 4, y: height - 6 }, name));
  }
  for (let at = Math.ceil((top - height / scale) / step) * step; at < top; at += step) {
    if (Math.abs(at) > 90) continue;
    const y = (top - at) * scale;
    const name = `${Math.abs(at)}°${at < 0 ? " S" : at > 0 ? " N" : ""}`;
    marks.push(s("line", { x1: 0, x2: width, y1: y, y2: y, class: "graticule" }), s("text", { x: 4, y: y - 4 }, name));
  }
  return marks;
}

function arc(view, from, to) {
  const [x1, y1, x2, y2] = [...view.at(from), ...view.at(to)];
  if (Math.hypot(x2 - x1, y2 - y1) < 3) return s("circle", { cx: x1, cy: y1, r: 15, class: "route" });
  const lift = Math.hypot(x2 - x1, y2 - y1) * 0.2;
  return s("path", { d: `M${x1},${y1} Q${(x1 + x2) / 2},${(y1 + y2) / 2 - lift} ${x2},${y2}`, class: "route" });
}

function viewerMark(view, { place }) {
  const [x, y] = view.at(place);
  return s("rect", { x: x - 10, y: y - 10, width: 20, height: 20, rx: 3, transform: `rotate(45 ${x} ${y})`, class: "viewer" });
}

function popMark(view, pop) {
  const healthy = healthyOf(pop);
  const tone = healthy === 0 ? "bad" : healthy < pop.servers.length ? "warn" : "good";
  return s("circle", { cx: view.x(pop.place), cy: view.y(pop.place), r: 6.5, class: `pop ${tone}` },
    s("title", {}, `${pop.name}: ${healthy} of ${pop.servers.length} servers healthy`));
}

/** Puts each name at the first free side of its mark, never over another mark. */
function labelPlacer(view, places) {
  const taken = places.map(view.at).map(([x, y]) => ({ from: x - 12, to: x + 12, top: y - 12, bottom: y + 12 }));
  return (place, text, kind) => {
    const [[x, y], wide] = [view.at(place), text.length * 7.5 + 4];
    const sides = [
      [x + 19, y + 4, "start"], [x - 19, y + 4, "end"], [x, y - 21, "middle"], [x, y + 31, "middle"],
      [x, y + 46, "middle"], [x, y - 36, "middle"],
    ];
    const boxOf = ([left, base, anchor]) => {
      const from = anchor === "start" ? left : anchor === "end" ? left - wide : left - wide / 2;
      return { from, to: from + wide, top: base - 12, bottom: base + 3 };
    };
    const free = (box) => box.from > 0 && box.to < view.width && box.top > 0 && box.bottom < view.height &&
      taken.every((other) => box.to < other.from || box.from > other.to || box.bottom < other.top || box.top > other.bottom);
    const side = sides.find((each) => free(boxOf(each))) ?? sides[0];
    taken.push(boxOf(side));
    return s("text", { x: side[0], y: side[1], "text-anchor": side[2], class: kind }, text);
  };
}
