// Chooses the theme before anything is drawn, and tells which button is
// pressed. The theme's own script does the first too late, the second not.

{
  const root = document.documentElement;
  if (root.dataset.theme === "auto") {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "dark" : "light";
  }
  const tell = () => {
    for (const button of document.querySelectorAll(".theme-change-button")) {
      const chosen = button.dataset.mode === root.dataset.mode;
      button.setAttribute("aria-pressed", chosen);
    }
  };
  new MutationObserver(tell).observe(root, { attributeFilter: ["data-mode"] });
  document.addEventListener("DOMContentLoaded", tell);
}
