"use strict";
(() => {
  const values = JSON.parse(document.getElementById("values").textContent);
  const all = (root, selector) => [...root.querySelectorAll(selector)];
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const number = value => value.toLocaleString("en");
  const put = (element, attributes) => {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  };

  // Curves: every panel shows the epoch under the pointer, and the best one when the pointer is away.
  function curves(data) {
    const plots = all(document, ".plot");
    let at = data.marked;
    function show(index, live) {
      at = index;
      plots.forEach((plot, panel) => {
        const caption = plot.parentElement.querySelector("figcaption");
        const name = index === data.best ? "best epoch" : "epoch";
        caption.querySelector(".epoch").textContent = `${name} ${data.epochs[index]}`;
        put(plot.querySelector(".cursor"), {
          transform: `translate(${data.x[index]} 0)`, visibility: live ? "visible" : "hidden",
        });
        const keys = all(caption, ".key b"), dots = all(plot, ".dot");
        data.panels[panel].forEach((line, place) => {
          const y = line.y[index];
          keys[place].textContent = line.text[index];
          put(dots[place], { cx: data.x[index], cy: y ?? 0, visibility: live && y !== null ? "visible" : "hidden" });
        });
      });
    }
    function nearest(plot, clientX) {
      const box = plot.getBoundingClientRect();
      const x = (clientX - box.left) / box.width * plot.viewBox.baseVal.width;
      let best = 0;
      data.x.forEach((value, index) => { if (Math.abs(value - x) < Math.abs(data.x[best] - x)) best = index; });
      return best;
    }
    for (const plot of plots) {
      const follow = event => show(nearest(plot, event.clientX), true);
      plot.addEventListener("pointermove", follow);
      plot.addEventListener("pointerdown", follow);
      plot.addEventListener("pointerleave", () => show(data.marked, false));
      plot.addEventListener("focus", () => show(at, true));
      plot.addEventListener("blur", () => show(data.marked, false));
      plot.addEventListener("keydown", event => {
        const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        show(clamp(at + step, 0, data.epochs.length - 1), true);
      });
    }
  }

  // Confusion matrix: the cell under the pointer, or the one that the arrow keys reached.
  function matrix(root, data) {
    const svg = root.querySelector(".matrix"), box = root.querySelector(".matrix-box"), tip = root.querySelector(".tip");
    const bands = [svg.querySelector(".band.row"), svg.querySelector(".band.column"), svg.querySelector(".chosen")];
    const labels = [all(svg, ".label.row"), all(svg, ".label.column")];
    const count = data.names.length, top = 4;
    let row = 0, column = 0;
    const strong = document.createElement("b"), plain = document.createElement("span");
    tip.append(strong, plain);
    function sentences() {
      const images = data.counts[row][column], support = data.support[row];
      const head = row === column ? `${data.names[row]}, right` : `${data.names[row]} → ${data.names[column]}`;
      if (!support) return [head, `no images of ${data.names[row]}`];
      const noun = support === 1 ? "image" : "images", share = (100 * images / support).toFixed(1);
      return [head, `${number(images)} of ${number(support)} ${noun} of ${data.names[row]}, ${share}\u00a0%`];
    }
    function show(newRow, newColumn) {
      [row, column] = [clamp(newRow, 0, count - 1), clamp(newColumn, 0, count - 1)];
      const [x, y] = [column * data.cell, row * data.cell];
      put(bands[0], { y });
      put(bands[1], { x });
      put(bands[2], { x, y });
      for (const band of bands) band.setAttribute("visibility", "visible");
      labels[0].forEach((label, index) => label.classList.toggle("lit", index === row));
      labels[1].forEach((label, index) => label.classList.toggle("lit", index === column));
      const [head, text] = sentences();
      [strong.textContent, plain.textContent] = [head, text];
      tip.hidden = false;
      const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      const room = box.parentElement, from = room.scrollLeft, until = from + room.clientWidth;  // what is in sight
      const right = (data.left + x + data.cell) * scale + 8, below = (top + y + data.cell) * scale + 8;
      const width = tip.offsetWidth, height = tip.offsetHeight;
      const left = right + width <= until ? right : (data.left + x) * scale - width - 8;
      tip.style.left = `${clamp(left, from, Math.max(from, until - width))}px`;
      tip.style.top = `${clamp(below, 0, Math.max(0, box.clientHeight - height))}px`;
    }
    function hide() {
      tip.hidden = true;
      for (const band of bands) band.setAttribute("visibility", "hidden");
      for (const label of labels.flat()) label.classList.remove("lit");
    }
    function point(event) {
      const around = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / around.width;
      const newRow = Math.floor(((event.clientY - around.top) * scale - top) / data.cell);
      const newColumn = Math.floor(((event.clientX - around.left) * scale - data.left) / data.cell);
      if (newRow < 0 || newColumn < 0 || newRow >= count || newColumn >= count) hide();
      else show(newRow, newColumn);
    }
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("pointerleave", event => { if (event.pointerType === "mouse") hide(); });
    svg.addEventListener("focus", () => { if (svg.matches(":focus-visible")) show(row, column); });
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", event => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      show(row + step[0], column + step[1]);
    });
    for (const pair of all(root, ".pairs tr[data-row]")) {
      pair.addEventListener("pointerenter", () => show(Number(pair.dataset.row), Number(pair.dataset.column)));
      pair.addEventListener("pointerleave", hide);
    }
  }

  // Tables: a click on a heading sorts by it; what is undefined stays at the end.
  function sorting(table) {
    const body = table.tBodies[0], heads = all(table, "th:has(> .sort)");
    const key = cell => {
      const text = cell.dataset.value ?? cell.textContent.trim();
      return text === "" || text === "–" ? null : cell.dataset.value === undefined ? text : Number(text);
    };
    const order = (a, b) => typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
    for (const head of heads) {
      head.querySelector(".sort").addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        const first = head.classList.contains("number") ? "descending" : "ascending";
        const direction = before === null ? first : before === "ascending" ? "descending" : "ascending";
        const index = head.cellIndex, sign = direction === "ascending" ? 1 : -1;
        const rows = [...body.rows].map(row => [key(row.cells[index]), row]);
        rows.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null) : sign * order(a, b));
        body.append(...rows.map(([, row]) => row));
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", direction);
      });
    }
  }

  if (values.curves) curves(values.curves);
  for (const root of all(document, ".confusion")) matrix(root, values.matrices[Number(root.dataset.matrix)]);
  for (const table of all(document, "table.sorting")) sorting(table);
  for (const tab of all(document, ".tab")) {
    tab.addEventListener("click", () => {
      for (const other of all(document, ".tab")) {
        other.setAttribute("aria-pressed", String(other === tab));
        document.getElementById(other.dataset.show).hidden = other !== tab;
      }
    });
  }
  for (const input of all(document, "[data-filters]")) {
    const rows = all(document.getElementById(input.dataset.filters), "tbody tr");
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    });
  }
  for (const button of all(document, ".copy")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
})();
