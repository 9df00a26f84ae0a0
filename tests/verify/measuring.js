// Writes down what a reader of the page could stumble over: labels that overlap, text without a size, a page wider than the window.
addEventListener("load", () => {
  const found = {innerWidth, scrollWidth: document.documentElement.scrollWidth, overlaps: [], invisible: [], text: document.body.innerText};
  for (const svg of document.querySelectorAll("figure svg")) {
    const boxes = [...svg.querySelectorAll("text")].map(t => [t.textContent.trim(), t.getBoundingClientRect()]);
    const frame = svg.getBoundingClientRect();
    boxes.forEach(([name, a], i) => {
      if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 1 || a.bottom > frame.bottom + 1) found.overlaps.push([name, "the frame"]);
      boxes.slice(i + 1).forEach(([other, b]) => {
        const w = Math.min(a.right, b.right) - Math.max(a.left, b.left), h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (w > 2 && h > 2) found.overlaps.push([name, other]);
      });
    });
  }
  for (const cell of document.querySelectorAll("td, th, h1, h2, p, li")) {
    const style = getComputedStyle(cell);
    const seen = cell.getBoundingClientRect();
    if (cell.innerText.trim() && style.display !== "none" && cell.offsetParent && (seen.width < 1 || seen.height < 1)) found.invisible.push(cell.innerText);
  }
  const out = document.createElement("pre");
  out.id = "measured";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
