// Draws slices with outlines on pairs of canvases: the film below, lines above it, so that
// contrast and brightness change the film alone.

const HALO = "rgba(0, 0, 0, 0.55)";

export function lighter(colour) {
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return `rgb(${parts.map((part) => Math.round(part + (255 - part) * 0.35)).join(" ")})`;
}

function fitted(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return { context: canvas.getContext("2d"), width, height, ratio };
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
  for (const structure of study.structures) {
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

export class Large {
  constructor(film, lines) {
    this.film = film;
    this.lines = lines;
    this.reset();
  }

  reset() {
    this.zoom = 1;
    this.shift = [0, 0];
  }

  // Zoom about a point of the canvas, in CSS pixels; about its middle where none is given.
  zoomBy(factor, at = [this.lines.clientWidth / 2, this.lines.clientHeight / 2]) {
    const zoom = Math.min(12, Math.max(0.25, this.zoom * factor));
    const middle = [this.lines.clientWidth / 2, this.lines.clientHeight / 2];
    this.shift = this.shift.map((s, i) => at[i] - middle[i] - ((at[i] - middle[i] - s) * zoom) / this.zoom);
    this.zoom = zoom;
  }

  pan(x, y) {
    this.shift = [this.shift[0] + x, this.shift[1] + y];
  }

  draw(study, image, heat, frame, slice, look) {
    const { context, width, height, ratio } = fitted(this.film);
    const above = fitted(this.lines).context;
    const [a, d, e, f] = fit(study, study.view, 0, 0, width, height);
    const place = [
      a * this.zoom, d * this.zoom,
      (e - width / 2) * this.zoom + width / 2 + this.shift[0] * ratio,
      (f - height / 2) * this.zoom + height / 2 + this.shift[1] * ratio,
    ];
    context.clearRect(0, 0, width, height);
    above.clearRect(0, 0, width, height);
    drawFilm(context, study, image, frame, slice, place);
    if (heat) drawFilm(above, study, heat, frame, slice, place);
    drawLines(above, study, look, frame, slice, place, 1.6 * ratio);
  }
}

export class Mosaic {
  constructor(film, lines) {
    this.film = film;
    this.lines = lines;
  }

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
    const { columns, wide, high } = this.layout(study, this.lines.clientWidth, this.lines.clientHeight);
    const found = Math.floor(y / high) * columns + Math.floor(x / wide);
    return found < study.slices ? found : null;
  }

  draw(study, image, heat, frame, slice, look, mark) {
    const { context, width, height, ratio } = fitted(this.film);
    const above = fitted(this.lines).context;
    const { columns, wide, high } = this.layout(study, width, height);
    context.clearRect(0, 0, width, height);
    above.clearRect(0, 0, width, height);
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
      above.fillText(mark(z), x + 5 * ratio, y + 14 * ratio);
      for (const one of [context, above]) one.restore();
      if (z === slice) {
        above.strokeStyle = "#fff";
        above.lineWidth = 2 * ratio;
        above.strokeRect(x + ratio, y + ratio, wide - 2 * ratio, high - 2 * ratio);
      }
    }
  }
}
