// The one way to the server, or to what a report holds in its place.
//
// A report is this same page in one file: `<script type="application/json" id="report-data">` holds the run, its story and
// some looks. Everything that is shown comes through `get`, so no panel needs to know which of the two it is in.
(() => {
  "use strict";
  const Klubok = (window.Klubok = window.Klubok || {});

  const kept = document.getElementById("report-data");
  const report = kept ? JSON.parse(kept.textContent) : null;
  const token = report ? "" : takeToken();

  // The token comes behind the # of the address, which browsers do not send. It leaves the address bar at once, so that
  // nobody gives it away with a copied address, and stays for this tab only.
  function takeToken() {
    const found = /[#&]token=([^&]*)/.exec(location.hash);
    try {
      if (found) {
        sessionStorage.setItem("klubok-token", found[1]);
        history.replaceState(null, "", location.pathname + location.search);
      }
      return found ? found[1] : sessionStorage.getItem("klubok-token") || "";
    } catch {
      return found ? found[1] : "";
    }
  }

  async function ask(path, options = {}) {
    const headers = { ...options.headers };
    if (token) headers["X-Klubok-Token"] = token;
    let answer;
    try {
      answer = await fetch(path, { ...options, headers, cache: "no-store" });
    } catch {
      throw new Error(Klubok.t("page.no_server"));
    }
    const body = await answer.json().catch((error) => ({ error: { en: error.message } }));
    if (!answer.ok || body.error) {
      throw new Error(Klubok.text.both(body.error) || `${answer.status} ${answer.statusText}`);
    }
    return body;
  }

  // What a report holds for a path.
  function recall(path) {
    const [name] = path.split("?");
    if (name === "/api/run") return report.run;
    if (name === "/api/story") return report.story;
    const held = (report.looks || {})[path];
    if (held === undefined && name === "/api/texts" && report.texts) return report.texts;
    if (held === undefined) throw new Error(Klubok.t("page.not_in_report"));
    return held;
  }

  async function get(path) {
    return report ? recall(path) : ask(path);
  }

  async function post(path, body) {
    if (report) throw new Error(Klubok.t("page.not_in_report"));
    return ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  }

  // A picture goes as its bytes: the server reads it as it reads the pictures of a folder.
  async function postPicture(file) {
    if (report) throw new Error(Klubok.t("page.not_in_report"));
    return ask("/api/picture", { method: "POST", body: file });
  }

  // Tells where the training is, as often as the server says so, and whether there is a connection.
  function follow(onNow, onConnection) {
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

  // Plotly, when it is there. It is large: nothing waits for it but the chart.
  let plotly = null;
  function load() {
    if ("KlubokPlotly" in window) return Promise.resolve(window.KlubokPlotly).then((it) => it || window.Plotly);
    if (window.Plotly) return Promise.resolve(window.Plotly);
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = "/plotly.js";
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error(Klubok.t("page.no_chart")));
      document.head.append(script);
    });
  }

  Klubok.api = {
    report: report !== null,
    get,
    post,
    postPicture,
    follow,
    // Whether a path can be asked for: a report holds only some.
    has: (path) => !report || path in (report.looks || {}),
    // The paths that a report holds of a kind, for panels that offer a choice.
    kept: (start) => Object.keys((report && report.looks) || {}).filter((path) => path.startsWith(start)),
  };
  Klubok.plotly = () => (plotly = plotly || load());
})();
