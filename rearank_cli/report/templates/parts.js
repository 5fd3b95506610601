"use strict";
// What every page of ours does.
(() => {
  const root = document.documentElement;
  for (const part of document.querySelectorAll(".needs-script")) part.hidden = false;

  // --- theme: the system's, until the button says otherwise
  const theme = document.getElementById("theme");
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const named = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; named(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", named);
  named();

  // --- pointing at a passage that the reasoning names shows its line in the chart
  const point = (event) => {
    if (!(event.target instanceof Element)) return;
    const query = event.target.closest("details.query");
    if (!query) return;
    for (const line of query.querySelectorAll("path.hot")) line.classList.remove("hot");
    const named = event.target.closest('.think a, .answer a, .sides li[id], ol.plain li[id]');
    if (!named) return;
    const aim = named.id || named.getAttribute("href").slice(1);
    const line = query.querySelector(`path[data-d="${CSS.escape(aim)}"]`);
    if (line) line.classList.add("hot");
  };
  document.addEventListener("pointerover", point);
  document.addEventListener("focusin", point);
})();
