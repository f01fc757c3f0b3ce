// Marks the destinations of the route under the pointer or the focus, and the routes that share them.
"use strict";
for (const kind of ["mouseover", "focusin"]) document.addEventListener(kind, ({ target }) => {
  const row = target.closest("tr[data-to]"), names = row ? row.dataset.to.split(" ") : [];
  for (const place of document.querySelectorAll(".target")) place.classList.toggle("shared", names.includes(place.dataset.name));
});
