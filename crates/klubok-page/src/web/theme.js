// @ts-check
// The colours: as the system has them, light or dark.
import { forgetColours, write } from "./draw.js";
import { remembered, t } from "./text.js";

/** @type {{ [theme: string]: [sign: string, key: string] }} */
const themes = { auto: ["◐", "page.theme_auto"], light: ["☀", "page.theme_light"], dark: ["☾", "page.theme_dark"] };
let theme = remembered.get("klubok-theme") || "auto";

/** Shows the theme, and its name on its button. */
export function showTheme() {
  document.documentElement.dataset.theme = theme;
  const [sign, key] = themes[theme] || themes.auto;
  const button = document.getElementById("theme");
  if (button) write(button, `${sign} ${t(key)}`);
  forgetColours();
}

/** Chooses the next one. */
export function nextTheme() {
  const names = Object.keys(themes);
  theme = names[(names.indexOf(theme) + 1) % names.length];
  remembered.set("klubok-theme", theme);
}
