// Marks the destinations of the route under pointer or focus.
for (const kind of ["mouseover", "focusin"]) addEventListener(kind, ({ target }) => {
  const names = target.closest("tr[data-to]")?.dataset.to.split(" ") ?? [];
  for (const { classList, dataset } of document.querySelectorAll(".target")) classList.toggle("shared", names.includes(dataset.name));
});
