// Pieces of the page that know nothing of the sitting.

// When what was drawn is on the screen.
export function painted() {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

export function table(found) {
  const made = document.createElement("table");
  const row = (cells) => {
    const line = made.insertRow();
    for (const cell of cells) line.insertCell().textContent = cell;
  };
  row(["study", found.study]);
  for (const [name, score] of Object.entries(found.scores)) row([name, score.toFixed(3)]);
  return made;
}
