// Draws slices with outlines on pairs of canvases: the film below, lines above it, so that
// contrast and brightness change the film alone.

const HALO = "rgba(0, 0, 0, 0.55)";

export function lighter(colour) {
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return `rgb(${parts.map((part) => Math.round(part + (255 - part) * 0.35)).join(" ")})`;
}

// A film and the lines above it, as large as they are on the screen.
class Pair {
  constructor(film, lines) {
    this.canvases = [film, lines];
    this.measure();
  }

  // Kept, because asking the browser in the middle of a change makes it lay out the page.
  measure() {
    const { clientWidth, clientHeight } = this.canvases[0];
    this.box = [clientWidth, clientHeight];
  }

  // Width and height in pixels of the screen, and how many of them are a CSS pixel.
  size() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = this.box.map((side) => Math.max(1, Math.round(side * ratio)));
    return { width, height, ratio };
  }

  // The contexts to draw on, cleared.
  fresh() {
    const { width, height } = this.size();
    return this.canvases.map((canvas) => {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const context = canvas.getContext("2d");
      context.clearRect(0, 0, width, height);
      return context;
    });
  }

  // What is drawn elsewhere, as two pictures that can be shown at once.
  ahead(draw) {
    const { width, height } = this.size();
    const canvases = [0, 1].map(() => new OffscreenCanvas(width, height));
    draw(canvases.map((canvas) => canvas.getContext("2d")));
    return canvases.map((canvas) => canvas.transferToImageBitmap());
  }

  put(pictures) {
    for (const [rank, context] of this.fresh().entries()) {
      context.drawImage(pictures[rank], 0, 0);
    }
  }
}

function drawFilm(context, study, film, frame, slice, [a, d, e, f]) {
  const { columns, pitch, tile } = study.sheet;
  const rank = frame * study.slices + slice;
  const x = (rank % columns) * pitch[1];
  const y = Math.floor(rank / columns) * pitch[0];
  context.setTransform(a, 0, 0, d, e, f);
  context.drawImage(film, x, y, tile[1], tile[0], 0, 0, study.width, study.height);
  context.resetTransform();
}

function drawLines(context, study, look, frame, slice, [a, d, e, f], width) {
  const matrix = new DOMMatrix([a, 0, 0, d, e, f]);
  // The first last: its outline often lies on that of the next, and would be hidden.
  for (const structure of study.structures.toReversed()) {
    const path = look.hidden.has(structure.name) ? null : study.path(frame, slice, structure.name);
    if (!path || !look.outlines) continue;
    const placed = new Path2D();
    placed.addPath(path, matrix);
    const colour = lighter(structure.colour);
    if (look.fill > 0) {
      context.globalAlpha = look.fill;
      context.fillStyle = colour;
      context.fill(placed, "evenodd");
    }
    context.globalAlpha = look.opacity;
    for (const [style, times] of [[HALO, 2.2], [colour, 1]]) {
      context.strokeStyle = style;
      context.lineWidth = width * times;
      context.stroke(placed);
    }
  }
  context.globalAlpha = 1;
}

// Scale and shift that fit a box of voxels, with the voxels' true shape, into a rectangle.
function fit(study, [left, top, right, bottom], x, y, width, height) {
  const [, high, wide] = study.spacing;
  const scale = Math.min(width / ((right - left) * wide), height / ((bottom - top) * high));
  const [a, d] = [scale * wide, scale * high];
  return [
    a, d,
    x + (width - a * (right - left)) / 2 - a * left,
    y + (height - d * (bottom - top)) / 2 - d * top,
  ];
}

export class Large extends Pair {
  constructor(film, lines) {
    super(film, lines);
    this.reset();
  }

  reset() {
    this.zoom = 1;
    this.shift = [0, 0];
  }

  // Zoom about a point of the canvas, in CSS pixels; about its middle where none is given.
  zoomBy(factor, about) {
    const zoom = Math.min(12, Math.max(0.25, this.zoom * factor));
    const middle = this.box.map((side) => side / 2);
    const at = about ?? middle;
    this.shift = this.shift.map((s, i) => at[i] - middle[i] - ((at[i] - middle[i] - s) * zoom) / this.zoom);
    this.zoom = zoom;
  }

  pan(x, y) {
    this.shift = [this.shift[0] + x, this.shift[1] + y];
  }

  draw({ study, image, heat, frame, slice, look }, [context, above] = this.fresh()) {
    const { width, height, ratio } = this.size();
    const [a, d, e, f] = fit(study, study.view, 0, 0, width, height);
    const place = [
      a * this.zoom, d * this.zoom,
      (e - width / 2) * this.zoom + width / 2 + this.shift[0] * ratio,
      (f - height / 2) * this.zoom + height / 2 + this.shift[1] * ratio,
    ];
    drawFilm(context, study, image, frame, slice, place);
    if (heat) drawFilm(above, study, heat, frame, slice, place);
    drawLines(above, study, look, frame, slice, place, 1.6 * ratio);
  }
}

export class Mosaic extends Pair {
  // Columns and size of the tiles that use the room best.
  layout(study, width, height) {
    const [left, top, right, bottom] = study.view;
    const shape = ((right - left) * study.spacing[2]) / ((bottom - top) * study.spacing[1]);
    let best = { columns: 1, size: 0 };
    for (let columns = 1; columns <= study.slices; columns++) {
      const rows = Math.ceil(study.slices / columns);
      const size = Math.min(width / columns, (height / rows) * shape);
      if (size > best.size) best = { columns, rows, size };
    }
    return { ...best, wide: width / best.columns, high: height / best.rows };
  }

  slice(study, x, y) {
    const { columns, wide, high } = this.layout(study, ...this.box);
    const found = Math.floor(y / high) * columns + Math.floor(x / wide);
    return found < study.slices ? found : null;
  }

  draw({ study, image, heat, frame, slice, look, mark }, [context, above] = this.fresh()) {
    const { width, height, ratio } = this.size();
    const { columns, wide, high } = this.layout(study, width, height);
    above.font = `${11 * ratio}px system-ui, sans-serif`;
    for (let z = 0; z < study.slices; z++) {
      const [x, y] = [(z % columns) * wide, Math.floor(z / columns) * high];
      const place = fit(study, study.view, x + 1, y + 1, wide - 2, high - 2);
      for (const one of [context, above]) {
        one.save();
        one.beginPath();
        one.rect(x + 1, y + 1, wide - 2, high - 2);
        one.clip();
      }
      drawFilm(context, study, image, frame, z, place);
      if (heat) drawFilm(above, study, heat, frame, z, place);
      drawLines(above, study, look, frame, z, place, ratio);
      above.fillStyle = "#fff";
      above.fillText(mark(z, study, frame), x + 5 * ratio, y + 14 * ratio);
      for (const one of [context, above]) one.restore();
      if (z === slice) {
        above.strokeStyle = "#fff";
        above.lineWidth = 2 * ratio;
        above.strokeRect(x + ratio, y + ratio, wide - 2 * ratio, high - 2 * ratio);
      }
    }
  }
}
