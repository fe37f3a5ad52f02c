// The maps where no kernel runs: their state stands in the page, and what is selected is told below them.

function decode(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function stillModel(state) { // what `render` needs of anywidget's model
  const reactions = {};
  const of = (event) => (reactions[event] ??= new Set());
  return {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; of(`change:${name}`).forEach((react) => react()); },
    on: (event, react) => of(event).add(react),
    off: (event, react) => of(event).delete(react),
    save_changes: () => {},
  };
}

function told(model, labels) { // "31 selected: 20 cat, 11 dog"
  const classes = model.get("classes"), chosen = model.get("selected");
  const counts = classes.map((name, label) => [chosen.filter((image) => labels[image] === label).length, name]);
  const parts = counts.filter(([count]) => count).sort(([a], [b]) => b - a).map((part) => part.join(" "));
  return chosen.length ? `${chosen.length} selected: ${parts.join(", ")}` : "";
}

for (const kept of document.querySelectorAll("script[data-maps]")) {
  const state = JSON.parse(kept.textContent), figure = kept.nextElementSibling, picture = figure.querySelector("img");
  for (const name of ["labels", "points", "neighbours", "sheet"]) state[name] = decode(state[name]);
  const model = stillModel(state), place = document.createElement("div"), line = document.createElement("div");
  line.className = "latent-chosen";
  picture.hidden = true;
  picture.before(place, line);
  render({ model, el: place });
  model.on("change:selected", () => { line.textContent = told(model, state.labels); });
}
