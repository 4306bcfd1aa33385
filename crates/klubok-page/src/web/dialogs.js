// @ts-check
// What the page says by itself: a problem, and a question.

const ALERT_MS = 8000;
/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {number | undefined} */
let hush;

/** Shows a problem for as long as it takes to read it, and has it read out. @param {unknown} problem */
export function alert(problem) {
  byId("alert").textContent = problem instanceof Error ? problem.message : String(problem);
  clearTimeout(hush);
  hush = setTimeout(() => (byId("alert").textContent = ""), ALERT_MS);
}

/**
 * Asks a question; true if the answer is yes.
 * @param {string} question
 * @param {string} yes
 * @returns {Promise<boolean>}
 */
export function confirm(question, yes) {
  return new Promise((resolve) => {
    const dialog = /** @type {HTMLDialogElement} */ (byId("ask"));
    byId("ask-text").textContent = question;
    byId("ask-yes").textContent = yes;
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}
