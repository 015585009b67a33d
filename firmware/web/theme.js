// Applies the chosen theme before the first paint; modules would run too late.
"use strict";

(() => {
  const ORDER = ["auto", "light", "dark"];

  const read = () => {
    try {
      const kept = localStorage.getItem("theme");
      return ORDER.includes(kept) ? kept : "auto";
    } catch {
      return "auto"; // Browsers may block storage.
    }
  };

  const show = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };

  show(read());

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    let theme = read();
    const label = () => {
      button.textContent = { auto: "◐ Auto", light: "☀ Light", dark: "☾ Dark" }[theme];
      button.setAttribute("aria-label", `Theme: ${theme}. Change it.`);
    };
    button.addEventListener("click", () => {
      theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
      try {
        localStorage.setItem("theme", theme);
      } catch {
        // The theme is then lost when the page is closed.
      }
      show(theme);
      label();
    });
    label();
  });
})();
