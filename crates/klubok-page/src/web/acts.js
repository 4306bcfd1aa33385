// @ts-check
// What a training does now, and what a person may do to it.
import * as api from "./api.js";
import { alert, confirm } from "./dialogs.js";
import { endings } from "./phases.js";
import { state } from "./state.js";
import { t } from "./text.js";

const modes = {
  starting: ["○", "page.mode_starting"],
  training: ["●", "page.mode_training"],
  resting: ["❚❚", "page.mode_resting"],
  following: ["◎", "page.mode_following"],
  ended: ["■", "page.mode_ended"],
};

/** What the training does, in words. */
export function modeText() {
  if (api.isReport) return `▤ ${t("page.mode_report")}`;
  if (!state.connected) return `⚠ ${t("page.no_connection")}`;
  const { mode, stopped } = state.now;
  const [sign, key] = modes[mode];
  const why = stopped && endings[stopped];
  return `${sign} ${t(key)}` + (mode === "ended" && why ? `: ${t(why)}` : "");
}

/** Sends an act; what it changes is told by the server, so nothing is shown before it is true. @param {{ act: string, rate?: number }} act */
export const act = (act) => api.post("/api/act", act).catch(alert);

/** Paces the training: seconds for the whole, or none for full speed. @param {number | null} seconds */
export const setPace = (seconds) => api.post("/api/pace", { seconds }).catch(alert);

/** Whether this page may act on the training. */
export const mayAct = () => state.run.can_act && state.run.live && !api.isReport && ["training", "resting"].includes(state.now.mode);

/** Space, or the first button. */
export function toggleTraining() {
  if (mayAct()) act({ act: state.now.mode === "resting" ? "go_on" : "pause" });
}

/** Ends the training, if the person is sure. */
export async function stop() {
  if (await confirm(t("page.stop_sure"), t("page.stop"))) act({ act: "stop" });
}

