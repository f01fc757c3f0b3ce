// Makes a part of the page as the hub is now, in place, and takes nothing from its reader. A module.
const PART = "tr, li, p, pre, dl, h1, h2, section, table, [data-part]";

// The smallest parts in which somebody selects or types; else the whole.
const partsInUse = (live) => {
  const focused = document.activeElement, selection = getSelection(), places = [];
  if (focused.matches("input:not([type=checkbox]), textarea, select") && live.contains(focused)) places.push(focused);
  if (!selection.isCollapsed && selection.getRangeAt(0).intersectsNode(live))
    places.push(selection.getRangeAt(0).commonAncestorContainer);
  return places.map((place) => {
    const part = (place.closest ? place : place.parentElement).closest(PART);
    return live.contains(part) ? part : live;
  });
};

// Where something appears, Idiomorph takes what has an id and stands below out of the page for a moment, only not what
// has focus. No selection outlasts that.
const keepSelection = (change) => {
  const selection = getSelection();
  const { anchorNode, anchorOffset, focusNode, focusOffset, isCollapsed } = selection;
  change();
  if (!isCollapsed && anchorNode.isConnected && focusNode.isConnected)
    selection.setBaseAndExtent(anchorNode, anchorOffset, focusNode, focusOffset);
};

// Returns whether all is as in `fresh`: it is not where a part in use is left as it was.
export const morph = (live, fresh) => {
  const kept = partsInUse(live);
  let isWhole = true;
  const callbacks = {
    beforeNodeMorphed: (old, next) => {
      const isKept = kept.includes(old);
      isWhole &&= !isKept || old.isEqualNode(next);
      return !isKept && !old.matches?.("[data-still]");
    },
    beforeNodeRemoved: (old) => {
      const isKept = kept.some((part) => old.contains(part));
      isWhole &&= !isKept;
      return !isKept;
    },
    beforeAttributeUpdated: (name, old) =>
      !["open", "checked", "selected"].includes(name) && (name !== "value" || old.type === "hidden"),
  };
  keepSelection(() => Idiomorph.morph(live, fresh, { callbacks }));
  return isWhole;
};
