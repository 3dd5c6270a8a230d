/** The tags of an observation. */
export function Tags({ tags }: { tags: readonly string[] }) {
  return tags.length === 0 ? null : (
    <ul class="tags" aria-label="Tags">
      {tags.map((tag) => (
        <li key={tag}>{tag}</li>
      ))}
    </ul>
  );
}
