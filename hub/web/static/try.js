// Puts the caret on the line of a problem, and mails into their frames.
addEventListener("click", (event) => {
  const link = event.target.closest("a[data-line]");
  if (!link) return;
  event.preventDefault();
  const field = document.getElementById(link.dataset.field);
  if (field.name === "routes") field.form.elements.which.value = "edited";
  const lines = field.value.split("\n"), { line } = link.dataset;
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1);
  field.focus();
  field.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  field.scrollTop = (field.scrollHeight / lines.length) * Math.max(line - 4, 0);
});
addEventListener("htmx:afterSwap", () => {
  const tried = new FormData(document.getElementById("trial"));
  for (const { name } of document.querySelectorAll("#outcome iframe")) {
    const form = document.getElementById(name);
    for (const field of form.elements) field.value = tried.get(field.name) ?? "";
    form.submit();
  }
});
