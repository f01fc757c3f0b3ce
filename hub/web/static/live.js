// Says so when the live parts of a page can no longer be refreshed.
"use strict";
const say = (stale) => { document.getElementById("stale").hidden = !stale; };
document.addEventListener("htmx:sendError", () => say(true));
document.addEventListener("htmx:responseError", () => say(true));
document.addEventListener("htmx:afterOnLoad", () => say(false));
