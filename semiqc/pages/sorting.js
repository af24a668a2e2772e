"use strict";
// Click a heading to sort its table; a long table has a box that filters its rows.
const LONG = 12;
const number = (text) => {
  const found = text.replace("\u2212", "-").match(/-?(\d+\.?\d*|\.\d+)/);
  return found ? parseFloat(found[0]) : -Infinity;
};
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  // A row of words belongs to the row above it.
  const groups = () => {
    const found = [];
    for (const row of body.rows) {
      if (row.classList.contains("words")) found[found.length - 1].push(row);
      else found.push([row]);
    }
    return found;
  };
  table.querySelectorAll("thead th").forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const text = (group) => group[0].cells[column].textContent.trim();
      const compare = head.classList.contains("number")
        ? (a, b) => number(text(a)) - number(text(b))
        : (a, b) => text(a).localeCompare(text(b), "en", { numeric: true });
      const sorted = groups().sort((a, b) => (down ? -compare(a, b) : compare(a, b)));
      body.append(...sorted.flat());
    });
  });
  if (groups().length > LONG) {
    const box = document.createElement("input");
    box.type = "search";
    box.placeholder = "filter rows";
    box.setAttribute("aria-label", "filter rows");
    box.addEventListener("input", () => {
      const wanted = box.value.toLowerCase();
      for (const group of groups()) {
        const isIn = group.some((row) => row.textContent.toLowerCase().includes(wanted));
        for (const row of group) row.hidden = !isIn;
      }
    });
    table.parentElement.before(box);
  }
}
