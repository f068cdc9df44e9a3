/** Two small charts drawn by hand: the rate of every segment (logarithmic), and the buffer. */

import { s } from "./dom.js";
import { rate } from "./words.js";

const LEFT = 58, RIGHT = 10, TOP = 8, BOTTOM = 20;
const WINDOW_SECONDS = 120;
const NAME_PIXELS = 12;

/** points: [{at, bitsPerSecond, cache}], at in seconds; lines: renditions as reference. */
export function drawRates(figure, points, renditions, now) {
  const { svg, x, width, height } = canvas(figure, now);
  const rates = [...points.map((point) => point.bitsPerSecond), ...renditions.map((each) => each.bandwidth)];
  const low = Math.floor(Math.log10(Math.max(1e4, Math.min(...rates, 1e6))));
  const high = Math.ceil(Math.log10(Math.max(...rates, 1e7)));
  const y = (bits) => TOP + (1 - (Math.log10(bits) - low) / (high - low)) * (height - TOP - BOTTOM);

  for (let power = low; power <= high; power += 1) {
    svg.append(grid(width, y(10 ** power)), axisLabel(y(10 ** power), rate(10 ** power).replace(/\.0+/, "")));
  }
  for (const { bandwidth } of renditions) {
    svg.append(s("line", { x1: LEFT, x2: width - RIGHT, y1: y(bandwidth), y2: y(bandwidth), class: "needs" }));
  }
  let named = height;
  for (const { name, bandwidth } of renditions) {
    if (named - y(bandwidth) < NAME_PIXELS) continue; // too near the one below
    named = y(bandwidth);
    svg.append(s("text", { x: width - RIGHT, y: named - 3, "text-anchor": "end" }, name));
  }
  for (const point of points.filter((each) => x(each.at) >= LEFT)) {
    const hit = point.cache === "hit" ? "dot hit" : point.cache === "unknown" ? "dot" : "dot miss";
    svg.append(s("circle", { cx: x(point.at), cy: y(Math.max(point.bitsPerSecond, 10 ** low)), r: 3.5, class: hit }));
  }
}

/** samples: [{at, seconds}] */
export function drawBuffer(figure, samples, now) {
  const { svg, x, width, height } = canvas(figure, now);
  const shown = samples.filter((each) => x(each.at) >= LEFT);
  const top = Math.max(10, Math.ceil(Math.max(...shown.map((each) => each.seconds), 0) / 10) * 10);
  const y = (seconds) => TOP + (1 - seconds / top) * (height - TOP - BOTTOM);
  for (const seconds of [0, top / 2, top]) svg.append(grid(width, y(seconds)), axisLabel(y(seconds), `${seconds} s`));
  if (!shown.length) return;
  const along = shown.map((each) => `${x(each.at).toFixed(1)},${y(each.seconds).toFixed(1)}`).join(" ");
  const [first, last] = [x(shown[0].at), x(shown.at(-1).at)];
  svg.append(
    s("polygon", { points: `${first},${y(0)} ${along} ${last},${y(0)}`, class: "area" }),
    s("polyline", { points: along, class: "edge" }),
  );
}

function canvas(figure, now) {
  const [width, height] = [figure.clientWidth || 360, 130];
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", height, "aria-hidden": "true" });
  const end = Math.max(now, 30);
  const span = Math.min(end, WINDOW_SECONDS);
  const x = (at) => LEFT + (1 - (end - at) / span) * (width - LEFT - RIGHT);
  const step = span > 60 ? 30 : 10;
  for (let at = Math.ceil((end - span) / step) * step; at <= end; at += step) {
    const anchor = x(at) > width - 24 ? "end" : "middle";
    svg.append(s("text", { x: x(at), y: height - 5, "text-anchor": anchor }, `${at} s`));
  }
  figure.replaceChildren(svg);
  return { svg, x, width, height };
}

const grid = (width, y) => s("line", { x1: LEFT, x2: width - RIGHT, y1: y, y2: y, class: "grid" });
const axisLabel = (y, text) => s("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, text);
