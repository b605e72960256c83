/** Items by key, in the order in which the keys first come. */
export function grouped<I, K>(items: I[], keyOf: (item: I) => K): Map<K, I[]> {
  const groups = new Map<K, I[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
