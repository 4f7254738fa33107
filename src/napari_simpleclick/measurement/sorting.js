for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  if (!body || body.rows.length < 2) continue;
  const text = (row, column) => {
    const first = row.cells[column].childNodes[0];
    return first ? first.textContent.trim() : "";
  };
  const number = (shown) => parseFloat(shown.replace(/[,\s]/g, "").replace("\u2212", "-"));
  const sort = (head, column) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].map((row) => [row, text(row, column)]);
    const numeric = rows.some(([, shown]) => !Number.isNaN(number(shown)));
    rows.sort(([, a], [, b]) => {
      if (!numeric) return (down ? -1 : 1) * a.localeCompare(b, undefined, { numeric: true });
      const [one, two] = [number(a), number(b)];
      if (Number.isNaN(one) || Number.isNaN(two)) return Number.isNaN(one) - Number.isNaN(two);
      return (down ? -1 : 1) * (one - two);
    });
    body.append(...rows.map(([row]) => row));
  };
  const taken = [...table.tHead.rows].map(() => []);
  [...table.tHead.rows].forEach((row, y) => {
    let x = 0;
    for (const head of row.cells) {
      while (taken[y][x]) x += 1;
      for (let down = 0; down < head.rowSpan; down += 1)
        for (let across = 0; across < head.colSpan; across += 1) taken[y + down][x + across] = true;
      if (head.colSpan === 1) {
        const column = x;
        head.tabIndex = 0;
        head.title = "Sort by this column";
        head.addEventListener("click", () => sort(head, column));
        head.addEventListener("keydown", (event) => {
          if (event.key === "Enter" || event.key === " ") {
            event.preventDefault();
            sort(head, column);
          }
        });
      }
      x += head.colSpan;
    }
  });
}
