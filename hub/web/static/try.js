// Puts the caret on the line of a problem, and shows the mails of what was tried in their frames.
"use strict";
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-line]");
  if (!link) return;
  event.preventDefault();
  const field = document.getElementById(link.dataset.field);
  if (field.name === "routes") field.form.elements.which.value = "edited";
  const lines = field.value.split("\n");
  const start = lines.slice(0, link.dataset.line - 1).join("\n").length + (link.dataset.line > 1 ? 1 : 0);
  field.focus();
  field.setSelectionRange(start, start + (lines[link.dataset.line - 1] ?? "").length);
  field.scrollTop = (field.scrollHeight / lines.length) * Math.max(link.dataset.line - 4, 0);
});
const fill = (form) => {
  const tried = document.getElementById("trial");
  for (const name of ["payload", "routes", "which", "source"])
    form.elements[name].value = new FormData(tried).get(name) ?? "";
};
document.addEventListener("submit", (event) => { if (event.target.matches("form.mail")) fill(event.target); });
document.addEventListener("htmx:afterSwap", () => {
  for (const button of document.querySelectorAll("#outcome button[form^=mail-]")) {
    fill(button.form);
    button.form.submit();
    button.hidden = true;
  }
});
