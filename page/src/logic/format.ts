const DASH = "–";
const EXCERPT_MAX = 600;
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** Return a number with its thousands apart. */
export function count(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? DASH : whole.format(value);
}

/** Return a number in at most four characters or so, such as 12.3k. */
export function short(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) {
    return DASH;
  }
  for (const [unit, factor] of [
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e4],
  ] as const) {
    if (Math.abs(value) >= factor) {
      const scaled = value / (unit === "k" ? 1e3 : factor);
      return `${scaled.toFixed(scaled < 100 ? 1 : 0)}${unit}`;
    }
  }
  return Math.abs(value) >= 100 || Number.isInteger(value) ? whole.format(value) : value.toFixed(1);
}

/** Return a size in bytes. */
export function bytes(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) {
    return DASH;
  }
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let scaled = value;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return `${unit === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${units[unit]}`;
}

/** Return a duration in milliseconds. */
export function milliseconds(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) {
    return DASH;
  }
  if (value >= 1000) {
    return `${(value / 1000).toFixed(1)} s`;
  }
  return `${value >= 100 ? Math.round(value) : value.toFixed(value >= 10 ? 1 : 2)} ms`;
}

/** Return how long ago something was, in words. */
export function ago(seconds: number): string {
  if (!Number.isFinite(seconds)) {
    return DASH;
  }
  if (seconds < 1) {
    return seconds < -1 ? "in the future" : "now";
  }
  for (const [name, length] of [
    ["year", 31_557_600],
    ["day", 86_400],
    ["h", 3600],
    ["min", 60],
  ] as const) {
    if (seconds >= length) {
      const number = Math.floor(seconds / length);
      const plural = (name === "year" || name === "day") && number !== 1 ? "s" : "";
      return `${whole.format(number)} ${name}${plural} ago`;
    }
  }
  return `${Math.floor(seconds)} s ago`;
}

/** Return how long something has lasted. */
export function lasted(seconds: number | undefined): string {
  return seconds === undefined ? DASH : ago(Math.max(seconds, 1)).replace(/ ago$/, "");
}

/** Return a local date and time. */
export function dateTime(milliseconds: number | undefined): string {
  if (milliseconds === undefined || !Number.isFinite(milliseconds)) {
    return DASH;
  }
  const date = new Date(milliseconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Return a score with as many digits as it needs. */
export function score(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(3);
}

/** Return a share as a percentage. */
export function percent(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? DASH : `${Math.round(value * 100)} %`;
}

/** Return as much of a text as a list shows; all of it is shown where one memory is looked at. */
export function excerpt(text: string): string {
  return text.length <= EXCERPT_MAX ? text : `${text.slice(0, EXCERPT_MAX)}…`;
}
