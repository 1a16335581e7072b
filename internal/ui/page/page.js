"use strict";
// Filters and sorts the rows of the table of components; everything else works without.
(() => {
  const table = document.getElementById("components-table");
  if (!table) return;
  const filter = document.getElementById("filter");
  const text = document.getElementById("filter-text");
  const kind = document.getElementById("filter-kind");
  const count = document.getElementById("filter-count");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row, at) => ({row, at, text: row.textContent.toLowerCase(), kinds: row.dataset.kinds.split(" ")}));

  const show = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const r of rows) {
      const fits = (kind.value === "" || r.kinds.includes(kind.value)) && words.every((word) => r.text.includes(word));
      if (r.row.hidden === fits) r.row.hidden = !fits;
      if (fits) shown++;
    }
    count.textContent = shown + " of " + rows.length + " components";
  };
  // Once for what is typed quickly: thousands of rows take the browser a moment.
  let soon = 0;
  text.addEventListener("input", () => {
    clearTimeout(soon);
    soon = setTimeout(show, 150);
  });
  kind.addEventListener("change", show);

  const collator = new Intl.Collator("en", {numeric: true});
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
      body.append(...sorted.map((s) => s.r.row));
    });
  });
  filter.hidden = false;
  show();
})();
