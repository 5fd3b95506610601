(() => {
  const $ = (id) => document.getElementById(id);
  const list = $("list"), search = $("search"), sort = $("sort"), count = $("count");
  const all = Array.from(list.querySelectorAll("details.query"));

  // --- search: every word must occur somewhere in the query's part of the page
  const texts = new Map();
  const textOf = (query) => {
    if (!texts.has(query)) texts.set(query, query.textContent.toLowerCase());
    return texts.get(query);
  };
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const query of all) {
      const text = words.length ? textOf(query) : "";
      query.hidden = !words.every((word) => text.includes(word));
      if (!query.hidden) shown += 1;
    }
    count.textContent = shown === all.length ? `${shown} queries` : `${shown} of ${all.length} queries`;
    $("nothing").hidden = shown > 0;
  };
  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 80); });

  // --- sort
  const number = (name) => (query) => Number(query.dataset[name]);
  const id = (query) => query.querySelector(".qid").textContent;
  const orders = {
    order: (a, b) => number("order")(a) - number("order")(b),
    gain: (a, b) => number("gain")(b) - number("gain")(a),
    loss: (a, b) => number("gain")(a) - number("gain")(b),
    worst: (a, b) => number("value")(a) - number("value")(b),
    flaws: (a, b) => number("flaws")(b) - number("flaws")(a),
    id: (a, b) => id(a).localeCompare(id(b), "en", { numeric: true }),
  };
  sort.addEventListener("change", () => {
    const order = orders[sort.value];
    list.append(...all.slice().sort((a, b) => order(a, b) || orders.order(a, b)));
  });

  // --- a link to a query or a passage opens what it lies in
  const reveal = () => {
    const target = location.hash.length > 1 ? $(location.hash.slice(1)) : null;
    if (!target || !list.contains(target)) return;
    for (let part = target; part && part !== list; part = part.parentElement) {
      if (part.hidden) { search.value = ""; filter(); }
      if (part.tagName === "DETAILS") part.open = true;
    }
    target.scrollIntoView({ block: target.matches("details.query") ? "start" : "center" });
    const head = target.querySelector("summary");
    if (target.matches("details.query")) head.focus({ preventScroll: true });
    for (const old of list.querySelectorAll(".aim")) old.classList.remove("aim");
    target.classList.add("aim");
  };
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href^="#"], a[*|href^="#"]') : null;
    if (link && link.getAttribute("href") === location.hash) reveal();
  });
  reveal();

  // --- keys
  const heads = () => all.filter((query) => !query.hidden).sort((a, b) =>
    a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1).map((query) => query.querySelector("summary"));
  const move = (step) => {
    const found = heads();
    const query = document.activeElement && document.activeElement.closest("details.query");
    const at = query ? found.indexOf(query.querySelector("summary")) : (step > 0 ? -1 : found.length);
    const next = found[Math.min(Math.max(at + step, 0), found.length - 1)];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const writing = event.target instanceof Element && event.target.matches("input, select, textarea");
    if (event.key === "Escape" && event.target === search) { search.value = ""; filter(); return; }
    if (writing) return;
    if (event.key === "/") { event.preventDefault(); search.focus(); search.select(); }
    if (event.key === "j") move(1);
    if (event.key === "k") move(-1);
  });

  // --- paper shows everything that the search left
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = Array.from(document.querySelectorAll("#list details:not([open])"));
    for (const part of closed) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of closed) part.open = false; });
})();
