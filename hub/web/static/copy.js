// Copies the text that a button names, or selects it where that is not allowed.
addEventListener("click", async ({ target }) => {
  const place = document.getElementById(target.dataset.copy);
  if (!place) return;
  try {
    await navigator.clipboard.writeText(place.textContent);
    target.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(place);
  }
});
