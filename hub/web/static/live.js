// Keeps #live as the hub is: what changed is put in by morph.js, and the rows of lists stay where they are. A module.
import { morph } from "./morph.js";

const EVERY_MS = 4000;
const byId = (id) => document.getElementById(id);
const stale = byId("stale"), pulse = byId("pulse"), news = byId("news");

document.addEventListener("htmx:afterRequest", (event) => { stale.hidden = event.detail.successful; });

let seen = byId("main").dataset.seen;
let aheadMs = 0;
let postponed = null;
let isAsking = false;

const isPaused = () => sessionStorage.getItem("paused") === "yes";
const isAtRest = () => document.hidden || isPaused() || document.querySelector("dialog[open]");

const showPulse = () => {
  pulse.hidden = false;
  pulse.textContent = isPaused() ? "paused" : "live";
  pulse.toggleAttribute("data-paused", isPaused());
  pulse.title = isPaused() ? "Go on updating (.)" : "Pause updates (.)";
};

// New rows wait behind a link; those that no longer belong to the list stay, and say so.
const keepRows = (live, fresh) => {
  for (const list of live.querySelectorAll("[data-list]")) {
    const other = fresh.querySelector(`[data-list]#${list.id}`);
    if (!other) continue;
    const rows = [...list.rows], others = new Map([...other.rows].map((row) => [row.id, row]));
    const known = rows.filter((row) => others.has(row.id));
    const first = known.length ? [...others.keys()].indexOf(known[0].id) : others.size;
    const last = known.length ? rows.indexOf(known[known.length - 1]) : -1;
    other.replaceChildren(...rows.map((row, index) => {
      if (others.has(row.id)) return others.get(row.id);
      const copy = row.cloneNode(true);
      copy.classList.toggle("gone", index < last);
      return copy;
    }));
    if (!first) continue;
    const link = other.ownerDocument.createElement("a");
    link.href = location.pathname + location.search;
    link.className = "arrived";
    link.textContent = `${first}${known.length ? "" : "+"} new ↑`;
    other.closest("table").caption.append(link);
  }
};

// As hub/humanize.py has it.
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
const span = (seconds) => {
  const [unit, size] = UNITS.find(([, size]) => seconds >= 2 * size) ?? UNITS[3];
  return `${Math.floor(seconds / size)} ${unit}`;
};
const tellTimes = () => {
  if (document.hidden) return;
  const selection = getSelection();
  for (const time of document.querySelectorAll("#live time")) {
    const { until } = time.dataset, text = time.textContent;
    const seconds = (Date.now() + aheadMs - Date.parse(until ?? time.dateTime)) / 1000, whole = Math.floor(Math.abs(seconds));
    if (!until && !/^(in .+|.+ ago|just now)$/.test(text)) continue;
    if (!selection.isCollapsed && selection.containsNode(time, true)) continue;
    const now = until ? "now" : "just now", before = until && !/^in /.test(text) ? "" : "in ";
    const words = whole < 1 || (until && seconds > 0) ? now : seconds > 0 ? `${span(whole)} ago` : before + span(whole);
    if (text !== words) time.textContent = words;
  }
};
const setClock = (main) => { aheadMs = Date.parse(main.dataset.now) - Date.now() || 0; };

const findings = () => new Map(
  [...document.querySelectorAll("#live [data-finding]")].map(({ textContent }) => [
    textContent.replace(/\d+/g, ""), textContent,
  ]),
);

// A number that changed is no news.
const announce = (before, after) => {
  const lines = [...after].filter(([key]) => !before.has(key)).map(([, text]) => text);
  for (const [key, text] of before) if (!after.has(key)) lines.push(`No longer: ${text}`);
  if (lines.length) news.textContent = lines.join(". ");
};

const show = (text) => {
  const page = new DOMParser().parseFromString(text, "text/html");
  const live = byId("live"), fresh = page.getElementById("live");
  if (!fresh) return;
  const before = findings();
  // What was postponed has the time of then.
  if (text !== postponed) setClock(page.getElementById("main"));
  keepRows(live, fresh);
  postponed = morph(live, fresh) ? null : text;
  announce(before, findings());
  document.title = page.title;
  seen = page.getElementById("main").dataset.seen;
  tellTimes();
};

const refresh = async () => {
  if (isAsking || isAtRest()) return;
  isAsking = true;
  try {
    const headers = { "HX-Request": "true", "Hub-Seen": seen };
    const answer = await fetch(location.href, { headers, cache: "no-store" });
    const login = answer.headers.get("HX-Redirect");
    if (login) location.assign(login);
    stale.hidden = answer.ok;
    const text = answer.status === 200 ? await answer.text() : answer.ok && postponed;
    if (!text) return;
    if (isAtRest()) postponed = text;
    else show(text);
  } catch {
    stale.hidden = false;
  } finally {
    isAsking = false;
  }
};

if (byId("live")) {
  pulse.addEventListener("click", () => {
    sessionStorage.setItem("paused", isPaused() ? "no" : "yes");
    showPulse();
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  showPulse();
  setClock(byId("main"));
  setInterval(refresh, EVERY_MS);
  setInterval(tellTimes, 1000);
}
