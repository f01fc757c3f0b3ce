// The dialog of acts, which htmx puts into #act, and the bar of what is ticked. A module.
const [dialog, bar] = ["act", "ticks"].map((id) => document.getElementById(id));
const all = (selector) => [...document.querySelectorAll(selector)];
const ticked = () => all("td.tick :checked");

const count = () => {
  const number = all("[data-count]:checked").reduce((sum, { dataset }) => sum + +dataset.count, 0);
  for (const place of all("[data-number]")) {
    place.textContent = number.toLocaleString("en");
    place.parentElement.disabled = !number;
  }
  if (!bar) return;
  bar.querySelector("b").textContent = ticked().length;
  bar.hidden = !ticked().length;
};

dialog.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (!dialog.open) dialog.showModal();
  // Asked for by its key, an act is confirmed by Enter; else Enter does nothing.
  const isByKey = detail.requestConfig.triggeringEvent?.isTrusted === false;
  dialog.querySelector(isByKey ? "[name=verb]" : "[data-close]")?.focus();
  count();
});
dialog.addEventListener("htmx:afterRequest", ({ detail }) => {
  for (const alarm of all("#act [role=alert]")) alarm.hidden = detail.successful;
});
dialog.addEventListener("close", () => {
  for (const form of all("#act-form")) htmx.trigger(form, "htmx:abort");
  const done = all("[data-done]").length ? ticked() : [];
  for (const box of done) box.checked = false;
  dialog.replaceChildren();
  count();
  if (bar?.contains(document.activeElement)) done[0]?.closest("tr").querySelector("a").focus();
});
addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) dialog.close();
  // Not by an attribute of htmx: a live page may have made another link of this one.
  const link = event.target.closest("a[data-ask]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  htmx.ajax("GET", link.href, { target: "#act", event });
});
addEventListener("change", ({ target }) => {
  if (target.id === "tick-all") for (const box of all("td.tick input")) box.checked = target.checked;
  count();
});
// With nothing ticked the row under focus is meant.
addEventListener("htmx:configRequest", ({ detail, target }) => {
  const row = document.activeElement.closest("tr[id]");
  if (bar?.contains(target) && row) detail.parameters.id ??= row.id;
});
count();
