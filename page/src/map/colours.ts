import type { Points } from "../logic/points";

export type Rgb = readonly [number, number, number];

/** The colours of the map in dark and in light. */
export interface Palette {
  readonly newest: Rgb;
  readonly middle: Rgb;
  readonly oldest: Rgb;
  readonly tags: readonly Rgb[];
  readonly other: Rgb;
  readonly ring: string;
  readonly label: string;
  readonly labelInk: string;
  readonly isDark: boolean;
}

export const TAGS_SHOWN = 7;

const DARK: Palette = {
  newest: [255, 190, 110],
  middle: [214, 108, 52],
  oldest: [86, 92, 112],
  tags: [
    [255, 157, 74],
    [104, 178, 255],
    [92, 205, 160],
    [240, 128, 170],
    [236, 214, 96],
    [172, 150, 255],
    [110, 214, 226],
  ],
  other: [110, 116, 130],
  ring: "#ffd9b0",
  label: "#ffb066",
  labelInk: "#1c1006",
  isDark: true,
};

const LIGHT: Palette = {
  newest: [176, 62, 4],
  middle: [214, 128, 62],
  oldest: [158, 160, 168],
  tags: [
    [178, 70, 8],
    [26, 104, 190],
    [14, 128, 88],
    [186, 44, 112],
    [138, 110, 0],
    [104, 72, 200],
    [0, 124, 142],
  ],
  other: [150, 148, 144],
  ring: "#7a2c00",
  label: "#a83f06",
  labelInk: "#ffffff",
  isDark: false,
};

export function paletteOf(isDark: boolean): Palette {
  return isDark ? DARK : LIGHT;
}

/** Return the colour of an age: 0 is the newest, 1 the oldest. The newest few glow, and most are calm. */
export function ageColour(palette: Palette, age: number): Rgb {
  const eased = Math.min(1, Math.max(0, age)) ** 0.45;
  return eased < 0.5
    ? mixed(palette.newest, palette.middle, eased * 2)
    : mixed(palette.middle, palette.oldest, eased * 2 - 1);
}

/** Return the most frequent tags, the most frequent first. An observation counts by its first tag. */
export function frequentTags(points: Points): string[] {
  const counts = new Map<string, number>();
  for (const info of points.infos) {
    const tag = info.tags[0];
    if (tag !== undefined) {
      counts.set(tag, (counts.get(tag) ?? 0) + 1);
    }
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, TAGS_SHOWN)
    .map(([tag]) => tag);
}

/** Return the colour of a tag by its place among the frequent ones. */
export function tagColour(palette: Palette, place: number): Rgb {
  return palette.tags[place] ?? palette.other;
}

function mixed(a: Rgb, b: Rgb, share: number): Rgb {
  return [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share];
}
