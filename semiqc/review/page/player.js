// Plays a study: which frame and slice are seen, how they look, and how fast the film runs.

import { Large, Mosaic } from "./view.js";

const at = (id) => document.getElementById(id);
const SECONDS = 1; // a cycle takes, at speed 1

// What a study opens with.
function first(study) {
  const slice = Math.floor((study.slices - 1) / 2);
  return { image: study.films.get(0), heat: null, frame: study.start, slice };
}

export class Player {
  constructor() {
    this.large = new Large(at("film"), at("lines"));
    this.mosaic = new Mosaic(at("tiles"), at("tilelines"));
    this.look = { hidden: new Set(), outlines: true, opacity: 0.9, fill: 0 };
    this.speed = 1;
    this.playing = true;
    this.frame = 0;
    this.slice = 0;
    this.mark = (z) => `${z + 1}`;
    this.bind();
    for (const [id, pair] of [["stage", this.large], ["mosaic", this.mosaic]]) {
      new ResizeObserver(() => { pair.measure(); this.draw(); }).observe(at(id));
    }
    requestAnimationFrame((now) => this.tick(now));
  }

  show(study) {
    this.study = study;
    Object.assign(this, first(study));
    this.large.reset();
    this.modalities(study);
    this.maps(study.revealed?.heat ?? []);
    this.play(study.frames > 1);
    if (!this.put(study)) this.draw();
  }

  // Draw a study as it will be seen first, while another is before the reader.
  prepare(study) {
    const sight = this.sight(study);
    if (this.ready?.sight === sight) return;
    const shot = { study, ...first(study), look: this.look, mark: this.mark };
    const unmoved = new Large(...this.large.canvases);
    this.forget();
    this.ready = {
      sight,
      large: unmoved.ahead((contexts) => unmoved.draw(shot, contexts)),
      mosaic: this.mosaic.ahead((contexts) => this.mosaic.draw(shot, contexts)),
    };
  }

  // What the first sight of a study depends on.
  sight(study) {
    const look = { ...this.look, hidden: [...this.look.hidden] };
    const marks = Array.from({ length: study.slices }, (_, z) => this.mark(z, study, study.start));
    return JSON.stringify([study.item, look, this.large.size(), this.mosaic.size(), marks]);
  }

  // Show what was prepared; false where that is something else.
  put(study) {
    const fits = this.ready?.sight === this.sight(study);
    if (fits) {
      this.large.put(this.ready.large);
      this.mosaic.put(this.ready.mosaic);
      this.place();
    }
    this.forget();
    return fits;
  }

  forget() {
    for (const picture of [...(this.ready?.large ?? []), ...(this.ready?.mosaic ?? [])]) picture.close();
    this.ready = null;
  }

  clear() {
    this.study = null;
    for (const id of ["film", "lines", "tiles", "tilelines"]) {
      const canvas = at(id);
      canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    }
    at("place").textContent = "";
  }

  modalities(study) {
    at("modalities").hidden = study.modalities < 2;
    at("modality").replaceChildren(...Array.from({ length: study.modalities }, (_, n) => new Option(n + 1, n)));
  }

  async choose(modality) {
    const study = this.study;
    if (!study) return;
    const image = await study.film(modality);
    if (this.study !== study) return;
    at("modality").value = modality;
    this.image = image;
    this.draw();
  }

  // What may be laid over the image; none of it is at first.
  maps(titles) {
    at("maps").hidden = !titles.length;
    at("map").replaceChildren(new Option("none", ""), ...titles.map((title, n) => new Option(title, n)));
    this.heat = null;
  }

  async lay(rank) {
    const study = this.study;
    if (!study) return;
    at("map").value = rank;
    const heat = rank === "" ? null : await study.map(Number(rank));
    if (this.study !== study || at("map").value !== `${rank}`) return;
    this.heat = heat;
    this.draw();
  }

  play(on) {
    this.playing = on && (this.study?.frames ?? 1) > 1;
    this.since = undefined;
    at("play").setAttribute("aria-pressed", this.playing);
  }

  // Stand still until something is done.
  async rest(until) {
    this.resting = true;
    try {
      return await until();
    } finally {
      this.resting = false;
    }
  }

  go(frame) {
    this.play(false);
    this.frame = frame;
    this.draw();
    this.onFrame?.(frame);
  }

  step(frames, slices) {
    if (!this.study) return;
    const { frames: count, slices: high } = this.study;
    this.slice = Math.min(high - 1, Math.max(0, this.slice + slices));
    if (frames) this.go((this.frame + frames + count) % count);
    else this.draw();
  }

  tick(now) {
    if (this.playing && this.study && !this.resting) {
      const each = (1000 * SECONDS) / (this.study.frames * this.speed);
      this.since ??= now - this.frame * each;
      const frame = Math.floor((now - this.since) / each) % this.study.frames;
      if (frame !== this.frame && frame >= 0) {
        this.frame = frame;
        this.draw();
        this.onFrame?.(frame);
      }
    }
    requestAnimationFrame((later) => this.tick(later));
  }

  draw() {
    if (!this.study) return;
    this.large.draw(this);
    this.mosaic.draw(this);
    this.place();
  }

  place() {
    const { study, frame, slice } = this;
    at("place").textContent = `slice ${slice + 1} of ${study.slices}, frame ${frame + 1} of ${study.frames}${study.structures[0]?.curve[frame] === null ? ", not segmented" : ""}`;
  }

  toggle(name) {
    const { hidden } = this.look;
    if (!hidden.delete(name)) hidden.add(name);
    this.draw();
    this.onLook?.();
  }

  // A slider moved by so many of its steps.
  nudge(id, steps) {
    const slider = at(id);
    slider.value = Number(slider.value) + steps * Number(slider.step);
    this.read();
  }

  read() {
    const value = (id) => Number(at(id).value);
    this.look.opacity = value("opacity");
    this.look.fill = value("fill");
    const filter = `brightness(${value("brightness")}) contrast(${value("contrast")})`;
    for (const id of ["film", "tiles"]) at(id).style.filter = filter;
    if (this.speed !== value("speed")) this.since = undefined;
    this.speed = value("speed");
    this.draw();
  }

  bind() {
    for (const id of ["speed", "contrast", "brightness", "opacity", "fill"]) {
      at(id).addEventListener("input", () => this.read());
    }
    at("play").addEventListener("click", () => this.play(!this.playing));
    at("modality").addEventListener("change", (event) => this.choose(Number(event.target.value)));
    at("map").addEventListener("change", (event) => this.lay(event.target.value));
    at("mosaic").addEventListener("pointerdown", (event) => {
      if (!this.study) return;
      const box = at("mosaic").getBoundingClientRect();
      const slice = this.mosaic.slice(this.study, event.clientX - box.left, event.clientY - box.top);
      if (slice === null) return;
      this.slice = slice;
      this.draw();
    });
    const stage = at("stage");
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = stage.getBoundingClientRect();
      this.large.zoomBy(1.15 ** -Math.sign(event.deltaY), [event.clientX - box.left, event.clientY - box.top]);
      this.draw();
    }, { passive: false });
    stage.addEventListener("pointerdown", (event) => stage.setPointerCapture(event.pointerId));
    stage.addEventListener("pointermove", (event) => {
      if (event.buttons !== 1) return;
      this.large.pan(event.movementX, event.movementY);
      this.draw();
    });
  }
}
