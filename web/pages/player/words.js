/** Numbers as people read them. Unknown numbers are an en dash. */

const NONE = "–";

function scaled(value, units, step = 1000) {
  let unit = 0;
  while (value >= step && unit < units.length - 1) {
    value /= step;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

export const bytes = (count) => (count == null ? NONE : scaled(count, ["B", "kB", "MB", "GB", "TB"]));

export const rate = (bitsPerSecond) =>
  bitsPerSecond == null || !isFinite(bitsPerSecond)
    ? NONE
    : scaled(bitsPerSecond, ["b/s", "kb/s", "Mb/s", "Gb/s"]);

export const milliseconds = (value) =>
  value == null ? NONE : value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value.toFixed(value < 10 ? 1 : 0)} ms`;

export const percent = (ratio) => (ratio == null ? NONE : `${Math.round(ratio * 100)} %`);

export const count = (value) => (value == null ? NONE : value.toLocaleString("en"));

/** 75 → "1:15" */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const two = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Unix seconds → the reader's local time of day. */
export const timeOfDay = (at) => (at == null ? NONE : new Date(at * 1000).toLocaleTimeString("en-GB"));
