// The keys of the pages: those that an element carries as data-key press it, the others move. A module.
const PAUSE_MS = 1500;
const list = document.getElementById("keys");
let prefix = "", prefixAt = 0;

const move = (step) => {
  const beside = document.querySelector(".crumbs");
  if (beside) return beside.querySelector(`[rel=${step > 0 ? "next" : "prev"}]`)?.click();
  const rows = [...document.querySelectorAll("#main table.rows tbody tr:has(a[href])")];
  // Whoever comes back from a record goes on from its row.
  const current = rows.find((row) => row.matches(":focus-within")) ?? rows.find((row) => row.matches(":target"));
  const next = rows[Math.min(Math.max(rows.indexOf(current) + step, 0), rows.length - 1)];
  next?.querySelector("a[href]").focus();
  next?.scrollIntoView({ block: "nearest" });
};

const tick = () => document.activeElement.closest("tr")?.querySelector(".tick input")?.click();

const back = () => {
  if (document.activeElement !== document.body) document.activeElement.blur();
  else document.querySelector("#main a[rel=up]")?.click();
};

const acts = {
  "/": () => { const box = document.getElementById("q"); box.focus(); box.select(); },
  "j": () => move(1),
  "k": () => move(-1),
  "x": tick,
  "?": () => list.showModal(),
  "Escape": back,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  const isField = event.target.matches("input:not([type=checkbox], [type=radio]), textarea, select");
  if (isField && event.key !== "Escape") return;
  const key = prefix && event.timeStamp - prefixAt < PAUSE_MS ? `${prefix} ${event.key}` : event.key;
  prefix = key === "g" ? key : "";
  prefixAt = event.timeStamp;
  const pressed = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  const act = pressed && !pressed.hidden ? () => pressed.click() : acts[key];
  if (!act) return;
  event.preventDefault();
  act();
});

const button = document.getElementById("show-keys");
button.hidden = false;
button.addEventListener("click", () => list.showModal());
