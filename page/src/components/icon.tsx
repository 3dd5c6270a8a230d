const PATHS = {
  play: "M7 4.5v15l13-7.5z",
  stop: "M6 5h4v14H6zM14 5h4v14h-4z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M4.9 4.9l1.8 1.8M17.3 17.3l1.8 1.8M4.9 19.1l1.8-1.8M17.3 6.7l1.8-1.8",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  auto: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 3v18M12 7l5.5-3M12 12h9M12 17l5.5 3",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 21 21",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  close: "M6 6l12 12M18 6 6 18",
  recall: "M12 4a8 8 0 1 1-7 4M12 8.5A3.5 3.5 0 1 1 8.8 10.500M4.500 3.500 5 8l4.500-.6",
  memories: "M4 6h16M4 12h16M4 18h10",
  engine: "M3 12h4l2.500-7 5 14 2.500-7h4",
} as const;

const FILLED = new Set(["play", "stop"]);

/** A small picture beside words; it says nothing by itself. */
export function Icon({ name }: { name: keyof typeof PATHS }) {
  const isFilled = FILLED.has(name);
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill={isFilled ? "currentColor" : "none"}
        stroke={isFilled ? "none" : "currentColor"}
        stroke-width="1.8"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
