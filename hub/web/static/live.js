// Says so while the live part of a page can not be refreshed.
"use strict";
document.addEventListener("htmx:afterRequest", (event) => {
  document.getElementById("stale").hidden = event.detail.successful;
});
