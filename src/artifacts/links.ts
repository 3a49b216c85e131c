// Whether the symbolic links of an archive stay in its folder: each target is followed as the system would follow it,
// through the archive's other links, without a disk. Links to nothing are allowed if that nothing is inside.
import { folded, leadsUpByBackslash } from "./entry-names.js";
import { ArchiveRefused, shown } from "./refusal.js";
import { linkHopsMax, linkWalkCharacters, type UnpackLimits } from "./unpack/unpack-limits.js";

/** What a step costs in addition to the path that it looks at. */
const stepCharacters = 16;

/** A link that may not be made, with what is wrong with it. */
export interface BadLink {
  readonly path: string;
  readonly target: string;
  readonly why: string;
}

/** What is reported of links that were left out. */
export interface LeftOut {
  readonly count: number;
  /** Of the first ones: path, target and what is wrong. */
  readonly first: readonly string[];
}

/** A thousand links left out are one warning. */
const shownMax = 3;

export function leftOutOf(links: readonly BadLink[]): LeftOut {
  return { count: links.length, first: links.slice(0, shownMax).map(textOfLink) };
}

function textOfLink({ path, target, why }: BadLink): string {
  return `link ${shown(path)} to ${shown(target)} ${why}`;
}

export interface LinkRules {
  readonly limits: Pick<UnpackLimits, "maxLinks" | "badLinks">;
  /** The file system distinguishes any two names; else `A/..` passes through the link `a`. */
  readonly isExact: boolean;
}

/**
 * The links that lead out or nowhere. Paths are within the folder, targets as the archive says. Throws ArchiveRefused
 * for the first of them unless they are to be left out, and for links that take too long to follow.
 */
export function badLinks(links: ReadonlyMap<string, string>, { limits, isExact }: LinkRules): readonly BadLink[] {
  const placeOf = isExact ? (path: string) => path : folded;
  const byPlace = new Map([...links].map(([path, target]) => [placeOf(path), target]));
  const walk = { characters: 0, max: limits.maxLinks * linkWalkCharacters, placeOf };
  const bad: BadLink[] = [];
  for (const [path, target] of links) {
    const why = trouble(path, target, byPlace, walk);
    if (why === undefined) continue;
    const link = { path, target, why };
    if (why === tooFar) throw new ArchiveRefused(`its ${textOfLink(link)}`);
    if (limits.badLinks === "refuse") {
      throw new ArchiveRefused(`its ${textOfLink(link)}; artifacts.badLinks: skip leaves such links out`);
    }
    bad.push(link);
  }
  return bad;
}

const tooFar = "leads through too many links; link more directly";

interface Walk {
  /** What all links together have cost so far, and may cost. */
  characters: number;
  readonly max: number;
  readonly placeOf: (path: string) => string;
}

function trouble(path: string, target: string, links: ReadonlyMap<string, string>, walk: Walk): string | undefined {
  const here = path.split("/").slice(0, -1);
  /** Parts yet to walk, the next one last. */
  const ahead: string[] = [];
  let hops = 0;
  const follow = (to: string): string | undefined => {
    if (to === "") return "has no target";
    if (to.includes("\0")) return "has a target that cannot be a path";
    if (leadsUpByBackslash(to)) return "leads out of the folder on Windows";
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
    if (walk.characters > walk.max) return tooFar;
    const next = links.get(walk.placeOf(place));
    if (next === undefined) continue;
    here.pop();
    why = follow(next);
  }
  return why;
}
