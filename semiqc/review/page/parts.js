// Pieces of the page that know nothing of the sitting.

// When what was drawn is on the screen: the frame after that one begins.
export function painted() {
  return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
}

// When the browser has nothing more urgent to do, or half a second is over.
export function idle() {
  const ask = window.requestIdleCallback ?? ((done) => setTimeout(done, 50));
  return new Promise((resolve) => ask(resolve, { timeout: 500 }));
}

// How fast the reading goes.
export function pace(places) {
  const seconds = places.filter((place) => place.said).map((place) => place.said.seconds);
  if (!seconds.length) return "";
  const mean = seconds.reduce((sum, one) => sum + one, 0) / seconds.length;
  const left = Math.ceil(((places.length - seconds.length) * mean) / 60);
  return `${seconds.length} judged, ${mean.toFixed(0)} s each, about ${left} min left`;
}

// The button that shows or hides a structure.
export function swatched(name, colour, isShown, isMarked) {
  const button = document.createElement("button");
  const swatch = document.createElement("span");
  swatch.className = "swatch";
  swatch.style.background = colour;
  Object.assign(button, { type: "button", className: "structure", title: "show or hide" });
  button.setAttribute("aria-pressed", isShown);
  button.dataset.marked = isMarked;
  button.append(swatch, ` ${name}`);
  return button;
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
