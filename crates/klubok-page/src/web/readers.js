// @ts-check
// Who is told that something changed.

/** Readers of changes; they are told once a frame, whatever happened in it. @template {string} Change */
export function readersOf() {
  /** @type {((changes: Set<Change>) => void)[]} */
  const readers = [];
  /** @type {Set<Change>} */
  let changes = new Set();

  /** @param {(changes: Set<Change>) => void} reader */
  const subscribe = (reader) => void readers.push(reader);

  /** @param {Change} what */
  function changed(what) {
    if (changes.size === 0) requestAnimationFrame(tell);
    changes.add(what);
  }

  function tell() {
    const told = changes;
    changes = new Set();
    for (const reader of readers) reader(told);
  }

  return { subscribe, changed };
}
