// Studies that are loaded before they are shown, and let go when they are far.

import { get, overlay, picture } from "./api.js";

export class Study {
  constructor(item, about, film) {
    Object.assign(this, about);
    this.item = item;
    this.films = new Map([[0, film]]);
    this.maps = new Map();
    this.paths = new Map();
    this.revealed = null;
  }

  // Path2D of a structure's outline in voxels, made when it is first drawn.
  path(frame, slice, name) {
    const text = this.outlines[frame][slice][name];
    if (text === undefined) return null;
    const key = `${frame} ${slice} ${name}`;
    if (!this.paths.has(key)) this.paths.set(key, new Path2D(text));
    return this.paths.get(key);
  }

  async film(modality) {
    if (!this.films.has(modality)) {
      this.films.set(modality, await picture(`study/${this.item}/film/${modality}`));
    }
    return this.films.get(modality);
  }

  async reveal() {
    this.revealed ??= await get(`study/${this.item}/revealed`);
    return this.revealed;
  }

  async map(rank) {
    if (!this.maps.has(rank)) {
      this.maps.set(rank, await overlay(`study/${this.item}/heat/${rank}`));
    }
    return this.maps.get(rank);
  }

  close() {
    for (const one of [...this.films.values(), ...this.maps.values()]) one.close();
    this.paths.clear();
  }
}

async function load(item) {
  const [about, film] = await Promise.all([
    get(`study/${item}/about`),
    picture(`study/${item}/film/0`),
  ]);
  return new Study(item, about, film);
}

export class Studies {
  constructor() {
    this.promised = new Map();
  }

  get(item) {
    if (!this.promised.has(item)) {
      const promise = load(item);
      this.promised.set(item, promise);
      // A failure is told when the study is shown, and not while it is loaded ahead: it may pass.
      promise.catch(() => {
        if (this.promised.get(item) === promise) this.promised.delete(item);
      });
    }
    return this.promised.get(item);
  }

  // Load these, one after another, and let go of all others.
  async keep(items) {
    for (const [item, promise] of this.promised) {
      if (!items.includes(item)) {
        this.promised.delete(item);
        promise.then((study) => study.close(), () => {});
      }
    }
    for (const item of items) await this.get(item).catch(() => {});
  }
}
