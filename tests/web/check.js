// What the units below are checked with.

export function equal(found, expected, what = "") {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what} expected ${b}, found ${a}`);
}

export function near(found, expected, within, what = "") {
  if (!(Math.abs(found - expected) <= within)) throw new Error(`${what} expected ${expected} ± ${within}, found ${found}`);
}

/** Chances that are the same each time. */
export function chances(seed) {
  return () => {
    seed = (seed * 1664525 + 1013904223) % 4294967296;
    return seed / 4294967296;
  };
}

/** `whole` (an array or a text), cut anywhere: some pieces are empty. */
export function cut(whole, chance) {
  const made = [];
  for (let at = 0; at < whole.length; ) {
    const size = Math.floor(chance() * 7);
    made.push(whole.slice(at, at + size));
    at += size;
  }
  return made;
}
