// The keys of the admin port, apart from schema.ts whose part they are: a health check reads these alone, every few seconds.
import { hiddenText, httpUrl, integer, secret, text } from "./formats.js";
import { setting } from "./setting.js";
import { listenHostFormat, networkListFormat } from "./shapes.js";

/** The keys below `admin`. */
export const adminSchema = {
  host: setting("Address of the admin port; anything but loopback needs `admin.token`.", listenHostFormat, {
    default: "127.0.0.1",
  }),
  port: setting("Port for probes, metrics, status and callbacks; 0: off.", integer(0, 65_535), { default: 9464 }),
  token: setting(
    "Bearer token for the control routes and, if other machines can reach the port, for the status page; `admin.tokenFile` or `PARTNERD_ADMIN_TOKEN_FILE` name a file that holds it.",
    secret(hiddenText({ min: 16, max: 512, form: /^[A-Za-z0-9._~+/=-]+$/, says: "a bearer token" })),
  ),
  publicUrl: setting(
    "Base URL of the callbacks that http handlers receive; under it browsers may reach the console, too.",
    httpUrl({ isBase: true }),
    { unset: "`http://HOST:PORT`" },
  ),
  userHeader: setting(
    "Header in which a proxy in front names its user, such as `X-Forwarded-User`, for the log of who did what.",
    text({ max: 100, form: /^[A-Za-z0-9-]+$/, says: "the name of a header" }),
  ),
  trustedProxies: setting(
    "Addresses of the proxies whose `admin.userHeader` is believed, besides this machine's.",
    networkListFormat,
  ),
};
