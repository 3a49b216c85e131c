// Whether the symbolic links of an archive stay in its folder: each target is followed as the system would follow it,
// through the archive's other links, without a disk. Links to nothing are allowed if that nothing is inside.
import { folded } from "./entry-names.js";
import { ArchiveRefused, shown } from "./refusal.js";
import { linkHopsMax, linkWalkMaxCharacters } from "./unpack/limits.js";

/** What a step costs besides the path that it looks at. */
const stepCharacters = 16;

/** Throws ArchiveRefused for the first link that leads out. Paths are within the folder, targets as the archive says. */
export function checkLinks(links: ReadonlyMap<string, string>): void {
  // Folded: on a file system that ignores case, `A/..` passes through the link `a`.
  const byPlace = new Map([...links].map(([path, target]) => [folded(path), target]));
  const walk = { characters: 0 };
  for (const [path, target] of links) {
    const why = trouble(path, target, byPlace, walk);
    if (why !== undefined) throw new ArchiveRefused(`its link ${shown(path)} to ${shown(target)} ${why}`);
  }
}

/** `walk` counts what all links together have cost so far. */
function trouble(
  path: string,
  target: string,
  links: ReadonlyMap<string, string>,
  walk: { characters: number },
): string | undefined {
  const here = path.split("/").slice(0, -1);
  /** Parts yet to walk, the next one last. */
  const ahead: string[] = [];
  let hops = 0;
  const follow = (to: string): string | undefined => {
    if (to === "") return "has no target";
    if (/[\p{Cc}\\\ufffd]/u.test(to)) return "has a target that cannot be a path";
    if (to.startsWith("/") || /^[A-Za-z]:/.test(to)) return "has an absolute target; link relatively";
    hops++;
    if (hops > linkHopsMax) return "goes round in a circle";
    ahead.push(...to.split("/").reverse());
    return undefined;
  };
  let why = follow(target);
  while (why === undefined && ahead.length > 0) {
    const part = ahead.pop();
    if (part === undefined || part === "" || part === ".") continue;
    if (part === "..") {
      if (here.length === 0) return "leads out of the folder";
      here.pop();
      continue;
    }
    here.push(part);
    const place = here.join("/");
    walk.characters += place.length + stepCharacters;
    if (walk.characters > linkWalkMaxCharacters) return "leads through too many links; link more directly";
    const next = links.get(folded(place));
    if (next === undefined) continue;
    here.pop();
    why = follow(next);
  }
  return why;
}
