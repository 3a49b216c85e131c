// A map and a set whose members come and go all day, such as jobs and calls. A Map that outgrows its table, as one in
// steady use does every few dozen entries, leaves the old table linked to the new one. Once one such table has grown old,
// V8 keeps every later one, and whatever was in it, until the next full collection. So a few Maps of jobs made each job
// outlive its end, and full collections three times as frequent: a fifth of the CPU of a job. Here what is deleted is let
// go of at once, and only its name stays in the table.

interface Box<T> {
  item: T | undefined;
}

/** A Map by value: for what leads to whole jobs or calls. Keys stay reachable for a while after their entries. */
export class TurnoverMap<K, V> {
  readonly #boxes = new Map<K, Box<V>>();

  get size(): number {
    return this.#boxes.size;
  }

  has(key: K): boolean {
    return this.#boxes.has(key);
  }

  get(key: K): V | undefined {
    return this.#boxes.get(key)?.item;
  }

  /** A new key comes last; a known one keeps its place. */
  set(key: K, value: V): this {
    const known = this.#boxes.get(key);
    if (known) known.item = value;
    else this.#boxes.set(key, { item: value });
    return this;
  }

  delete(key: K): boolean {
    const box = this.#boxes.get(key);
    if (!box) return false;
    box.item = undefined;
    return this.#boxes.delete(key);
  }

  keys(): MapIterator<K> {
    return this.#boxes.keys();
  }

  /** In the order in which they came. Those that are deleted meanwhile are left out. */
  *values(): Generator<V, undefined> {
    for (const { item } of this.#boxes.values()) yield item as V;
  }

  *[Symbol.iterator](): Generator<[K, V], undefined> {
    for (const [key, { item }] of this.#boxes) yield [key, item as V];
  }
}

/** An item as it is in its set; only `TurnoverSet` makes and reads it. */
export type Member<T> = Box<T>;

/** A Set whose items leave by the member that `add` returned. */
export class TurnoverSet<T> {
  readonly #members = new Set<Member<T>>();

  get size(): number {
    return this.#members.size;
  }

  add(item: T): Member<T> {
    const member = { item };
    this.#members.add(member);
    return member;
  }

  /** False if it had left already. */
  delete(member: Member<T>): boolean {
    member.item = undefined;
    return this.#members.delete(member);
  }

  /** In the order in which they came. Those that are deleted meanwhile are left out. */
  *[Symbol.iterator](): Generator<T, undefined> {
    for (const { item } of this.#members) yield item as T;
  }
}
