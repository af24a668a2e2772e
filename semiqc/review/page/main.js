// The sitting: one study after another, each verdict kept before the next study shows.

import { Refused, get, post } from "./api.js";
import { Curves } from "./curves.js";
import { bindKeys } from "./keys.js";
import { idle, pace, painted, swatched, table } from "./parts.js";
import { Player } from "./player.js";
import { Studies } from "./studies.js";

const AHEAD = 2;
const UNSAVED = "Not saved";
const at = (id) => document.getElementById(id);
const say = (text) => { at("said").textContent = text; };
// What was not asked for must not hide that a verdict was not saved.
const mention = ({ message }) => { if (!at("said").textContent.startsWith(UNSAVED)) say(message); };
const send = (path, content) => post(path, content, () => say("Saving …"));

class Sitting {
  constructor() {
    window.addEventListener("beforeunload", (event) => { if (this.busy) event.preventDefault(); });
    this.studies = new Studies();
    this.player = new Player();
    this.curves = new Curves(at("curves"), (frame) => this.player.go(frame));
    this.player.mark = (...slice) => this.known(...slice);
    this.player.onFrame = (frame) => this.curves.at(frame);
    this.player.onLook = () => this.study && this.curves.show(this.study, this.player.look.hidden);
    this.broken = new Set();
    this.busy = false;
    this.looked = 0;
    setInterval(() => { if (!document.hidden && this.study) this.looked += 0.1; }, 100);
  }

  async start() {
    const asked = new URLSearchParams(location.search).get("reader");
    const reader = asked ?? document.body.dataset.reader;
    at("reader").value = reader;
    const queue = await get(`queue?reader=${encodeURIComponent(reader)}`);
    Object.assign(this, queue);
    await this.next(-1);
  }

  // The first place after this one without a verdict, then those before it.
  open(after) {
    const count = this.places.length;
    for (let step = 1; step <= count; step++) {
      const index = (after + step + count) % count;
      const place = this.places[index];
      if (!place.said && !this.broken.has(place.item)) return index;
    }
    return null;
  }

  ahead(index) {
    const found = [index];
    while (found.length <= AHEAD) {
      const next = this.open(found.at(-1));
      if (next === null || found.includes(next)) break;
      found.push(next);
    }
    return found.map((one) => this.places[one].item);
  }

  async next(after) {
    const index = this.open(after);
    if (index === null) this.finish();
    else await this.show(index);
  }

  async show(index) {
    this.index = index;
    const place = this.places[index];
    this.told();
    let study = null;
    try {
      study = await this.studies.get(place.item);
    } catch (error) {
      if (this.index === index) this.fail(place, error);
      return;
    }
    if (this.index !== index) return;
    this.study = study;
    this.graded = null;
    at("broken").hidden = true;
    this.revealed();
    this.fresh(place.said);
    this.player.show(study);
    this.curves.show(study, this.player.look.hidden, this.player.frame);
    this.structures();
    await painted();
    if (this.study === study) setTimeout(() => this.loadMore(study, place));
  }

  // What the film need not wait for.
  async loadMore(study, place) {
    if (!this.blind) this.reveal(study).catch(mention);
    this.loadGrades(place.item).catch(mention);
    const ahead = this.ahead(this.index);
    const kept = [...new Set([...ahead, this.places[this.before]?.item])];
    this.studies.keep(kept.filter((item) => item !== undefined));
    if (ahead.length > 1) await this.prepare(study, ahead[1]);
  }

  // Draw the next study while this one is looked at.
  async prepare(study, item) {
    const next = await this.studies.get(item).catch(() => null);
    if (!next) return;
    // A failure is told when the study is shown.
    if (!this.blind) await next.reveal().catch(() => {});
    await idle();
    if (this.study !== study || this.busy) return;
    this.player.prepare(next);
    this.curves.prepare(next, this.player.look.hidden);
  }

  // What the reader chose for the study before is not meant for this one.
  fresh(said) {
    this.looked = 0;
    at("note").value = said?.note ?? "";
    for (const button of document.querySelectorAll(".reason")) {
      button.setAttribute("aria-pressed", said?.reasons.includes(button.dataset.reason) ?? false);
    }
  }

  fail(place, error) {
    // What the server refuses stays refused; what did not come may come the next time.
    if (error instanceof Refused) this.broken.add(place.item);
    this.blank();
    at("broken").textContent = `This study cannot be shown: ${error.message}. Press l to go on.`;
    at("broken").hidden = false;
  }

  // Leave nothing of the study before where none is seen.
  blank() {
    this.study = null;
    this.player.clear();
    this.curves.clear();
    at("revealed").replaceChildren();
  }

  finish() {
    this.index = null;
    this.blank();
    this.told();
    const left = this.places.filter((place) => !place.said).length;
    const broken = left ? ` ${left} could not be shown.` : "";
    at("broken").textContent = `Done: ${this.places.length - left} of ${this.places.length} judged.${broken} You may close this page.`;
    at("broken").hidden = false;
  }

  told() {
    const done = this.places.filter((place) => place.said).length;
    const count = this.places.length;
    at("where").textContent = this.index === null ? `${done} of ${count}` : `Study ${this.index + 1} of ${count}`;
    at("progress").max = Math.max(1, count);
    at("progress").value = done;
    at("pace").textContent = pace(this.places);
  }

  // Do one thing at a time: a key that is held does not judge the next study.
  async once(what) {
    if (this.busy) return;
    this.occupied(true);
    try {
      await what();
    } catch (error) {
      say(`${UNSAVED}: ${error.message}`);
    } finally {
      this.occupied(false);
    }
  }

  occupied(busy) {
    this.busy = busy;
    document.querySelector("main").ariaBusy = busy;
  }

  sent(more = {}) {
    const { item, showing, said } = this.places[this.index];
    return { reader: this.reader, item, showing, knew: said?.number ?? 0, ...more };
  }

  judge(verdict, start) {
    return this.once(async () => {
      if (!this.study) return;
      const pressed = [...document.querySelectorAll('.reason[aria-pressed="true"]')];
      const reasons = pressed.map((button) => button.dataset.reason);
      const note = at("note").value;
      const sent = this.sent({ verdict, reasons, note, seconds: this.looked });
      // The film that was judged would only keep the answer waiting.
      const answer = await this.player.rest(() => send("verdict", sent));
      const place = this.places[this.index];
      place.said = answer.said;
      say(answer.other
        ? `Study ${this.index + 1}: ${verdict}. Another window had said ${answer.other}: yours, the later, counts; undo brings the other back.`
        : `Study ${this.index + 1}: ${verdict}.`);
      this.before = this.index;
      await this.next(this.index);
      performance.measure("verdict to film", { start, end: performance.now() });
    });
  }

  putOff() {
    return this.once(async () => {
      if (this.index === null) return;
      await send("later", this.sent());
      const [place] = this.places.splice(this.index, 1);
      this.places.push(place);
      this.before = undefined;
      say("Put off until the end.");
      await this.next(this.index - 1);
    });
  }

  undo() {
    return this.once(async () => {
      const { undone } = await send("undo", { reader: this.reader });
      if (!undone) return say("Nothing to undo.");
      const index = this.places.findIndex((one) => one.item === undone.item && one.showing === undone.showing);
      this.places[index].said = undone.said;
      say(`Took back the verdict on study ${index + 1}.`);
      await this.show(index);
    });
  }

  async loadGrades(item) {
    const { grades } = await get(`study/${item}/grades?reader=${encodeURIComponent(this.reader)}`);
    if (this.study?.item !== item) return;
    this.graded = new Map(grades.map((one) => [`${one.frame} ${one.slice} ${one.structure}`, one.grade]));
    if (grades.length) this.player.draw();
  }

  // What is known of a slice: its number, the marked structure's estimated Dice, and its grade.
  known(z, study, frame) {
    const structure = study.structures[this.rank ?? 0]?.name;
    const dice = study.revealed?.slice_dice[structure]?.[frame]?.[z];
    const grade = study === this.study && this.graded?.get(`${frame} ${z} ${structure}`);
    return [`${z + 1}`, dice == null ? "" : `Dice ${dice.toFixed(2)}`, grade ? `grade ${grade}` : ""]
      .filter(Boolean)
      .join("  ");
  }

  grade(grade) {
    return this.once(async () => {
      if (!this.study) return;
      this.player.play(false);
      const { frame, slice } = this.player;
      const structure = this.marked();
      const { item } = this.places[this.index];
      await send("grade", { reader: this.reader, item, frame, slice, structure, grade });
      this.graded?.set(`${frame} ${slice} ${structure}`, grade);
      say(`Slice ${slice + 1}, frame ${frame + 1}, ${structure}: ${grade ? `grade ${grade}` : "no grade"}.`);
      if (grade && this.mark(1)) this.player.step(0, 1);
      this.player.draw();
    });
  }

  marked() {
    return this.study?.structures[this.rank ?? 0]?.name;
  }

  // Mark the next structure; true where that is the first again.
  mark(step) {
    if (!this.study) return false;
    this.rank = ((this.rank ?? 0) + step) % this.study.structures.length;
    this.structures();
    this.player.draw();
    return this.rank === 0;
  }

  structures() {
    const { hidden } = this.player.look;
    const buttons = this.study.structures.map(({ name, colour }, rank) => {
      const button = swatched(name, colour, !hidden.has(name), rank === (this.rank ?? 0));
      button.addEventListener("click", () => {
        this.player.toggle(name);
        this.structures();
      });
      return button;
    });
    at("structures").replaceChildren(at("structures").querySelector("legend"), ...buttons);
  }

  async reveal(study) {
    if (study.revealed) return;
    await study.reveal();
    if (this.study !== study) return;
    this.revealed();
    this.player.maps(study.revealed.heat);
    this.player.draw();
    this.curves.show(study, this.player.look.hidden);
  }

  // The panel keeps its place where reading is open: what moves would have to be drawn again.
  revealed() {
    const { revealed } = this.study;
    at("revealed").hidden = this.blind;
    at("revealed").replaceChildren(...(revealed ? [table(revealed)] : []));
  }
}

const sitting = new Sitting();
bindKeys(sitting, at, say);
sitting.start().catch((error) => say(error.message));
