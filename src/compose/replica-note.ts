// What a replica's heartbeat says of it to the others and to people.
import type { AdminStatus } from "../admin/view.js";
import { slotsHeld } from "../admin/view.js";
import type { Config } from "../config/config.js";
import type { ReplicaNote } from "../job/fleet.js";
import { isLoopback, reachableHost, reachableUrl } from "../std/addresses.js";
import { ownVersion } from "../std/version.js";

export function replicaNote(status: AdminStatus, admin: Config["admin"]): ReplicaNote {
  const { isDraining, isPaused, slots, inFlight, startedAtMs } = status;
  const url = urlOf(admin);
  return {
    version: ownVersion(),
    state: isDraining ? "draining" : isPaused ? "paused" : "working",
    slotsMax: slots.max,
    slotsHeld: slotsHeld(status),
    jobs: inFlight,
    owed: slots.owed,
    startedAtMs,
    ...(url === undefined ? {} : { url }),
  };
}

/** Only an address that other machines reach. */
function urlOf({ host, port, publicUrl }: Config["admin"]): string | undefined {
  if (port === 0) return undefined;
  if (publicUrl !== undefined) return publicUrl;
  return isLoopback(host) || reachableHost(host) !== host ? undefined : reachableUrl(host, port);
}
