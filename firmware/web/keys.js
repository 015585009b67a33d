// Keys of the page.

/// Whether a pressed key is for the page: no dialog is open, no modifier is held, and no control has the focus that takes
/// keys itself.
export const isForPage = (event) =>
  !event.defaultPrevented && !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey && !document.querySelector("dialog[open]") && !event.target.closest?.("input, select, textarea, .scroll");

/// Whether the space bar would press the control that has the focus.
export const pressesControl = (event) => Boolean(event.target.closest?.("button, summary, label"));
