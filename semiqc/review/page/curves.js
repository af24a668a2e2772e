// Volume or area curves with a marker that runs along with the film; scrubbing moves the film.

const SPACE = "http://www.w3.org/2000/svg";
export const DASHES = ["", "7 4", "2 3", "9 3 2 3", "12 4", "1 5"];
const EDGE = { left: 46, right: 116, top: 20, bottom: 24 };

function element(parent, name, attributes, text) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

// A round number at or above a quarter of the largest value.
function stepOf(largest) {
  const power = 10 ** Math.floor(Math.log10(Math.max(largest, 1e-6) / 4));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one * 4 >= largest);
}

export class Curves {
  constructor(parent, onFrame) {
    this.parent = parent;
    const scrub = (event) => {
      if (!this.sketch || event.buttons !== 1) return;
      onFrame(this.sketch.frameAt(event.clientX - parent.getBoundingClientRect().left));
    };
    parent.addEventListener("pointerdown", (event) => {
      parent.setPointerCapture(event.pointerId);
      scrub(event);
    });
    parent.addEventListener("pointermove", scrub);
    this.box = [parent.clientWidth, parent.clientHeight];
    new ResizeObserver(() => {
      this.box = [parent.clientWidth, parent.clientHeight];
      if (this.study) this.show(this.study, this.hidden);
    }).observe(parent);
  }

  show(study, hidden, frame = this.frame) {
    const sketch = this.ready?.of === this.sight(study, hidden) ? this.ready : this.drawn(study, hidden);
    Object.assign(this, { study, hidden, sketch, ready: null });
    this.parent.replaceChildren(sketch.svg);
    this.parent.setAttribute("aria-valuemax", study.frames);
    this.at(frame ?? 0);
  }

  clear() {
    Object.assign(this, { study: null, sketch: null, ready: null });
    this.parent.replaceChildren();
  }

  // Draw what will be shown next.
  prepare(study, hidden) {
    if (this.ready?.of !== this.sight(study, hidden)) this.ready = this.drawn(study, hidden);
  }

  drawn(study, hidden) {
    return new Sketch(this.sight(study, hidden), study, hidden, ...this.box);
  }

  sight(study, hidden) {
    return JSON.stringify([study.item, study.revealed !== null, [...hidden], this.box]);
  }

  at(frame) {
    if (!this.sketch) return;
    this.frame = Math.min(frame, this.study.frames - 1);
    this.parent.setAttribute("aria-valuenow", this.frame + 1);
    this.sketch.at(this.frame);
  }
}

// The curves of one study, in a box of so many CSS pixels.
class Sketch {
  constructor(of, study, hidden, width, height) {
    Object.assign(this, { of, study, width });
    const svg = document.createElementNS(SPACE, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const shown = study.structures.filter((one) => !hidden.has(one.name));
    const expert = study.revealed?.expert ?? {};
    const values = shown.flatMap((one) => [...one.curve, ...(expert[one.name] ?? [])]);
    const largest = Math.max(1e-6, ...values.filter((value) => value !== null));
    const step = stepOf(largest);
    const top = Math.ceil(largest / step) * step;
    this.y = (value) => height - EDGE.bottom - ((height - EDGE.top - EDGE.bottom) * value) / top;
    this.axes(svg, width, height, top, step, shown[0]?.unit ?? "");
    this.now = element(svg, "line", { class: "now", y1: EDGE.top, y2: height - EDGE.bottom });
    this.ends = [];
    for (const one of shown) this.curve(svg, one, expert[one.name]);
    this.labels(svg, width, height);
    this.svg = svg;
  }

  x(frame) {
    return EDGE.left + ((this.width - EDGE.left - EDGE.right) * frame) / Math.max(1, this.study.frames - 1);
  }

  frameAt(x) {
    const share = (x - EDGE.left) / (this.width - EDGE.left - EDGE.right);
    const last = this.study.frames - 1;
    return Math.min(last, Math.max(0, Math.round(share * last)));
  }

  axes(svg, width, height, top, step, unit) {
    for (let value = 0; value <= top * 1.001; value += step) {
      const y = this.y(value);
      element(svg, "line", { class: "axis", x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y });
      const digits = step < 1 ? 2 : 0;
      element(svg, "text", { class: "soft", x: EDGE.left - 6, y: y + 4, "text-anchor": "end" }, value.toFixed(digits));
    }
    element(svg, "text", { class: "soft", x: EDGE.left + 4, y: EDGE.top - 6 }, unit);
    const last = this.study.frames;
    for (const frame of new Set([1, Math.ceil(last / 2), last])) {
      element(svg, "text", { class: "soft", x: this.x(frame - 1), y: height - 7, "text-anchor": "middle" }, frame);
    }
  }

  curve(svg, one, expert) {
    const rank = this.study.structures.findIndex((other) => other.name === one.name);
    const style = { fill: "none", stroke: one.colour, "stroke-width": 2.2, "stroke-dasharray": DASHES[rank % DASHES.length] };
    const known = one.curve.map((value, frame) => [frame, value]).filter(([, value]) => value !== null);
    // Frames that are not segmented part the curve; what stands alone is a point.
    const parts = known.reduce((found, point, i) => {
      if (i && point[0] === known[i - 1][0] + 1) found.at(-1).push(point);
      else found.push([point]);
      return found;
    }, []);
    for (const part of parts) {
      element(svg, "polyline", { ...style, points: part.map(([t, v]) => `${this.x(t)},${this.y(v)}`).join(" ") });
      const [[t, v]] = part;
      if (part.length === 1) element(svg, "circle", { cx: this.x(t), cy: this.y(v), r: 3.5, fill: one.colour });
    }
    // A cavity that ejects is largest at end-diastole; an area only has a largest frame.
    const [most, least] = one.ejects === null ? ["max", "min"] : ["ED", "ES"];
    for (const [phase, at] of [[most, one.largest], [least, one.smallest]]) {
      if (at === null) continue;
      const [x, y] = [this.x(at), this.y(one.curve[at])];
      element(svg, "circle", { cx: x, cy: y, r: 4, fill: one.colour });
      element(svg, "text", { class: "soft", x: x + 6, y: y + (phase === most ? -5 : 14) }, phase);
    }
    for (const [t, v] of (expert ?? []).entries()) {
      if (v !== null) element(svg, "rect", { x: this.x(t) - 5, y: this.y(v) - 5, width: 10, height: 10, fill: "none", stroke: one.colour, "stroke-width": 2 });
    }
    if (known.length) this.ends.push({ one, y: this.y(known.at(-1)[1]) });
  }

  // Names and values at the right end of the curves, moved apart where they meet.
  labels(svg, width, height) {
    const high = 30;
    this.ends.sort((a, b) => a.y - b.y);
    let least = EDGE.top;
    this.texts = [];
    const spare = (rank) => height - 8 - high * (this.ends.length - rank);
    for (const [rank, { one, y }] of this.ends.entries()) {
      const at = Math.max(least, Math.min(y - 6, spare(rank) + 12));
      least = at + high;
      const ejects = one.ejects === null ? "" : `  EF ${one.ejects.toFixed(0)} %`;
      element(svg, "text", { x: width - EDGE.right + 10, y: at + 4, "font-weight": 600 }, one.name + ejects);
      this.texts.push([one, element(svg, "text", { class: "soft", x: width - EDGE.right + 10, y: at + 18 })]);
    }
  }

  at(frame) {
    const x = this.x(frame);
    this.now.setAttribute("x1", x);
    this.now.setAttribute("x2", x);
    for (const [one, text] of this.texts) {
      const value = one.curve[frame];
      text.textContent = value === null ? "–" : `${value.toFixed(value < 10 ? 1 : 0)} ${one.unit}`;
    }
  }
}
