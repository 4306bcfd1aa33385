// @ts-check
// Many buttons with one tab stop: the arrow keys go from one to the next. Each button has its column and row as `data-at`.

/** @type {{ [key: string]: [across: number, down: number] }} */
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {HTMLElement} button @returns {number[]} */
const placeOf = (button) => (button.dataset.at ?? "").split(",").map(Number);
/** @param {HTMLElement} box */
const buttonsOf = (box) => /** @type {HTMLElement[]} */ ([...box.querySelectorAll("[data-at]")]);

/** Lets the arrow keys go through the buttons of an element. @param {HTMLElement} box */
export function rove(box) {
  box.addEventListener("focusin", (event) => {
    if (event.target instanceof HTMLElement && event.target.dataset.at) stopAt(box, event.target);
  });
  box.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move || !(event.target instanceof HTMLElement) || !event.target.dataset.at) return;
    event.preventDefault();
    event.stopPropagation();
    next(box, event.target, move)?.focus();
  });
}

/** The nearest button in a direction; up and down stay in the column. @param {HTMLElement} box @param {HTMLElement} from @param {[number, number]} move */
function next(box, from, [across, down]) {
  const [x, y] = placeOf(from);
  const far = (/** @type {HTMLElement} */ button) => {
    const [u, v] = placeOf(button);
    const ahead = across ? Math.sign(u - x) === across : u === x && Math.sign(v - y) === down;
    return ahead ? Math.abs(u - x) * 1000 + Math.abs(v - y) : Infinity;
  };
  const [nearest] = buttonsOf(box).sort((a, b) => far(a) - far(b));
  return nearest && far(nearest) < Infinity ? nearest : null;
}

/** The tab key comes to one of the buttons: by default to the one that has the keyboard, or the first. @param {HTMLElement} box @param {Element | null} [at] */
export function stopAt(box, at = document.activeElement) {
  const buttons = buttonsOf(box);
  const stop = buttons.find((button) => button === at) ?? buttons[0];
  for (const button of buttons) button.tabIndex = button === stop ? 0 : -1;
}
