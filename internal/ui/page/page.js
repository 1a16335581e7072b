"use strict";
// Filters and sorts the rows of the tables of components; everything else works without.
(() => {
  const tables = Array.from(document.querySelectorAll("table.filtered"));
  const filter = document.getElementById("filter");
  if (!filter || !tables.length) return;
  const text = document.getElementById("filter-text");
  const kind = document.getElementById("filter-kind");
  const count = document.getElementById("filter-count");
  const rowsOf = new Map(tables.map((table) => [table, Array.from(table.tBodies[0].rows, (row, at) =>
    ({row, at, text: row.textContent.toLowerCase(), kinds: row.dataset.kinds.split(" ")}))]));

  const show = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const all = kind.value === "" && !words.length;
    let shown = 0, total = 0;
    for (const [table, rows] of rowsOf) {
      let here = 0;
      for (const r of rows) {
        const fits = (kind.value === "" || r.kinds.includes(kind.value)) && words.every((word) => r.text.includes(word));
        if (r.row.hidden === fits) r.row.hidden = !fits;
        if (fits) here++;
      }
      shown += here;
      total += rows.length;
      const run = table.closest(".run");
      if (run) run.hidden = !here && !all;
    }
    count.textContent = shown + " of " + total + " " + filter.dataset.of;
    for (const run of document.querySelectorAll(".run.bare")) run.hidden = !all;
  };
  // Once for what is typed quickly: thousands of rows take the browser a moment.
  let soon = 0;
  text.addEventListener("input", () => {
    clearTimeout(soon);
    soon = setTimeout(show, 150);
  });
  kind.addEventListener("change", show);

  const collator = new Intl.Collator("en", {numeric: true});
  for (const [table, rows] of rowsOf) {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const was = head.getAttribute("aria-sort");
        for (const h of heads) h.removeAttribute("aria-sort");
        const order = was === "ascending" ? -1 : was === "descending" ? 0 : 1;
        if (order) head.setAttribute("aria-sort", order > 0 ? "ascending" : "descending");
        const key = (r) => {
          const cell = r.row.cells[column];
          return cell.dataset.sort || cell.textContent.trim();
        };
        const sorted = order ? rows.map((r) => ({r, key: key(r)})) : rows.map((r) => ({r, key: ""}));
        sorted.sort((a, b) => order * collator.compare(a.key, b.key) || a.r.at - b.r.at);
        table.tBodies[0].append(...sorted.map((s) => s.r.row));
      });
    });
  }
  filter.hidden = false;
  show();
})();
