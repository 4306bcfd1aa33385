// @ts-check
// The one way to the server, or to what a report holds in its place.
//
// A report is this same page in one file: `<script id="report-data">` holds the run, its story and some looks, packed. Everything that is shown comes through `get`, so no panel needs to know which of the two it is in.
import * as text from "./text.js";
import { t } from "./text.js";
/** @import { KeptPicture, Report, Status } from "./types.js" */

const kept = document.getElementById("report-data");
/** @type {Report | null} */
const report = kept ? await unpack(kept.textContent ?? "") : null;
const token = report ? "" : takeToken();

export const isReport = report !== null;

/** A report's data is packed. @param {string} base64 @returns {Promise<Report>} */
async function unpack(base64) {
  const packed = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

// The token comes behind the # of the address, which browsers do not send. It leaves the address bar at once, so that
// nobody gives it away with a copied address, and stays for this tab only.
function takeToken() {
  const found = /[#&]token=([^&]*)/.exec(location.hash);
  try {
    if (found) {
      sessionStorage.setItem("klubok-token", found[1]);
      const rest = location.hash.slice(1).split("&").filter((part) => !part.startsWith("token=")).join("&");
      history.replaceState(null, "", location.pathname + location.search + (rest ? `#${rest}` : ""));
    }
    return found ? found[1] : sessionStorage.getItem("klubok-token") || "";
  } catch {
    return found ? found[1] : "";
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 */
async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (token) headers.set("X-Klubok-Token", token);
  const answer = await fetch(path, { ...options, headers, cache: "no-store" }).catch(() => {
    throw new Error(t("page.no_server"));
  });
  const body = await answer.json().catch((error) => ({ error: { en: error.message } }));
  if (!answer.ok || body.error) {
    throw new Error(text.both(body.error) || `${answer.status} ${answer.statusText}`);
  }
  return body;
}

/**
 * What a report holds for a path.
 * @param {Report} report
 * @param {string} path
 */
function recall(report, path) {
  const [name] = path.split("?");
  if (name === "/api/run") return report.run;
  if (name === "/api/story") return report.story;
  if (!(path in report.looks)) throw notInReport();
  return report.looks[path];
}

const notInReport = () => new Error(t("page.not_in_report"));

/**
 * The answer for a path; the caller knows its type. What a person `asked` for just now does not wait for the time that the page's
 * own refreshing may take.
 * @template [Answer=unknown]
 * @param {string} path
 * @param {boolean} [asked]
 * @returns {Promise<Answer>}
 */
export async function get(path, asked = false) {
  const full = asked ? `${path}${path.includes("?") ? "&" : "?"}asked=true` : path;
  return /** @type {Answer} */ (report ? recall(report, path) : await ask(full));
}

/**
 * @param {string} path
 * @param {unknown} body
 */
export async function post(path, body) {
  if (report) throw notInReport();
  return ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/**
 * A picture goes as its bytes: the server reads it as it reads the pictures of a folder.
 * @param {File} file
 * @returns {Promise<KeptPicture>}
 */
export async function postPicture(file) {
  if (report) throw notInReport();
  return ask("/api/picture", { method: "POST", body: file });
}

/**
 * Tells where the training is, or the trainings of a race, as often as the server says so, and whether there is a connection.
 * @template [Now=Status]
 * @param {(now: Now) => void} onNow
 * @param {(connected: boolean) => void} onConnection
 */
export function follow(onNow, onConnection) {
  if (report) return;
  // It sends no header, and whoever has shown the token keeps the stream, however many others watch.
  const source = new EventSource(token ? `/api/live?token=${token}` : "/api/live");
  source.addEventListener("now", (event) => {
    onConnection(true);
    onNow(JSON.parse(event.data));
  });
  source.addEventListener("open", () => onConnection(true));
  source.addEventListener("error", () => {
    onConnection(false);
    // A browser gives up for good when it was refused, so this asks again.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(onNow, onConnection), 3000);
  });
}

/** Whether a path can be asked for: a report holds only some. @param {string} path */
export const has = (path) => !report || path in report.looks;

/** The paths that a report holds of a kind, for panels that offer a choice. @param {string} start */
export const keptPaths = (start) => Object.keys(report?.looks ?? {}).filter((path) => path.startsWith(start));
