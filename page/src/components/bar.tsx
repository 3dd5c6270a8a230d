interface Props {
  /** From 0 to 1. */
  share: number;
  /** What the bar shows; without it, the number beside the bar says it. */
  label?: string;
}

/** How full something is. */
export function Bar({ share, label }: Props) {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);
  const meaning =
    label === undefined
      ? { "aria-hidden": true }
      : ({ role: "meter", "aria-label": label, "aria-valuenow": percent, "aria-valuemin": 0, "aria-valuemax": 100 } as const);
  return (
    <span class="bar" {...meaning}>
      <span class="bar-fill" style={{ width: `${percent}%` }} />
    </span>
  );
}
