// The keys of the pages: those that an element carries as data-key press it, the others move.
"use strict";
(() => {
  const PAUSE_MS = 1500;
  const list = document.getElementById("keys");
  let prefix = "", prefixAt = 0;

  const rows = () => [...document.querySelectorAll("#main table.rows tbody tr")]
    .map((row) => row.querySelector("a[href]")).filter(Boolean);

  const move = (step) => {
    const beside = document.querySelector("#main .crumbs");
    if (beside) return beside.querySelector(`a[rel=${step > 0 ? "next" : "prev"}]`)?.click();
    const links = rows();
    if (!links.length) return;
    // Whoever comes back from a record goes on from its row.
    const index = (isIt) => links.findIndex((link) => isIt(link.closest("tr")));
    const focused = index((row) => row.contains(document.activeElement));
    const at = focused < 0 ? index((row) => row.matches(":target")) : focused;
    const next = links[Math.min(Math.max(at + step, 0), links.length - 1)];
    next.focus();
    next.closest("tr").scrollIntoView({ block: "nearest" });
  };

  const tick = () => document.activeElement.closest("tr")?.querySelector(".tick input")?.click();

  const back = () => {
    if (document.activeElement !== document.body) document.activeElement.blur();
    else document.querySelector("#main a[rel=up]")?.click();
  };

  const acts = {
    "/": () => { const field = document.querySelector("#q"); field?.focus(); field?.select(); },
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
})();
