// What keys and buttons do. One that is held with Ctrl, Alt or Meta is the browser's.

export function bindKeys(sitting, at, say) {
  const { player } = sitting;
  const zoom = (factor) => {
    player.large.zoomBy(factor);
    player.draw();
  };
  const reset = () => {
    player.large.reset();
    player.draw();
  };
  const outlines = () => {
    player.look.outlines = !player.look.outlines;
    player.draw();
  };
  const modality = () => {
    const count = player.study?.modalities ?? 1;
    if (count > 1) player.choose((Number(at("modality").value) + 1) % count).catch((e) => say(e.message));
  };
  const map = () => {
    const { selectedIndex, options } = at("map");
    const next = options[(selectedIndex + 1) % options.length];
    if (!at("maps").hidden) player.lay(next.value).catch((e) => say(e.message));
  };
  const doing = {
    g: (event) => sitting.judge("good", event.timeStamp),
    e: (event) => sitting.judge("erroneous", event.timeStamp),
    l: () => sitting.putOff(),
    u: () => sitting.undo(),
    n: () => at("note").focus(),
    " ": () => player.play(!player.playing),
    ArrowLeft: () => player.step(-1, 0),
    ArrowRight: () => player.step(1, 0),
    ArrowUp: () => player.step(0, -1),
    ArrowDown: () => player.step(0, 1),
    k: () => sitting.mark(1),
    c: outlines,
    "+": () => zoom(1.25),
    "=": () => zoom(1.25),
    "-": () => zoom(0.8),
    z: reset,
    "[": () => player.nudge("contrast", -1),
    "]": () => player.nudge("contrast", 1),
    "{": () => player.nudge("brightness", -1),
    "}": () => player.nudge("brightness", 1),
    o: () => player.nudge("opacity", -1),
    O: () => player.nudge("opacity", 1),
    p: () => player.nudge("fill", -1),
    P: () => player.nudge("fill", 1),
    ",": () => player.nudge("speed", -1),
    ".": () => player.nudge("speed", 1),
    m: modality,
    h: map,
    "?": () => at("keys").showModal(),
  };
  for (const grade of [0, 1, 2, 3]) doing[grade] = () => sitting.grade(grade);
  for (const button of document.querySelectorAll(".reason")) {
    const toggle = () => button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
    button.addEventListener("click", toggle);
    doing[button.dataset.key] = toggle;
  }
  for (const [id, key] of [["good", "g"], ["erroneous", "e"], ["later", "l"], ["undo", "u"], ["help", "?"]]) {
    at(id).addEventListener("click", doing[key]);
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || at("keys").open) return;
    const { target } = event;
    if (target.matches("input:not([type=range])")) {
      if (event.key === "Escape" || (event.key === "Enter" && target.id === "note")) target.blur();
      return;
    }
    // A focused button is pressed by space, a select or slider moved by arrows.
    if (event.key === " " && target.matches("button")) return;
    if (event.key.startsWith("Arrow") && target.matches("select, input")) return;
    const act = doing[event.key];
    if (!act || (event.repeat && !event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    act(event);
  });
  at("who").addEventListener("submit", (event) => {
    event.preventDefault();
    const reader = at("reader").value.trim();
    if (reader) location.search = `?reader=${encodeURIComponent(reader)}`;
  });
}
