// The maps of one dataset side by side. The pointer marks an image on all of them and shows its neighbours; a lasso selects.
// Everything needed is in the browser, so that neither has to wait for Python.

const RADIUS = 2.3, REACH = 9, MARGIN = 8; // CSS pixels

function element(tag, name, parent, text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  parent.append(made);
  return made;
}

function numbers(model, name, Kind) {
  const view = model.get(name);
  return new Kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

function unpack(model) {
  const labels = numbers(model, "labels", Uint8Array);
  const neighbours = numbers(model, "neighbours", Uint16Array);
  const names = model.get("names"), count = labels.length;
  const near = neighbours.length / count / (names.length + 1);
  return {
    names, labels, count,
    classes: model.get("classes"),
    columns: model.get("columns"),
    colour: (label) => model.get("colours")[label % model.get("colours").length],
    points: numbers(model, "points", Float32Array),
    near: (space, image) => [...neighbours.subarray((space * count + image) * near, (space * count + image + 1) * near)],
    sheet: URL.createObjectURL(new Blob([numbers(model, "sheet", Uint8Array)], { type: "image/webp" })),
  };
}

function makePanel(atlas, number, row) {
  const column = element("div", "column", row);
  element("div", "name", column, atlas.names[number]);
  const frame = element("div", "map", column);
  const canvases = [element("canvas", "points", frame), element("canvas", "over", frame)];
  canvases[1].setAttribute("aria-label", `t-SNE map of the latents of ${atlas.names[number]}`);
  const panel = { number, frame, over: canvases[1], width: 0, height: 0 };
  panel.place = (x, y) => [MARGIN + x * (panel.width - 2 * MARGIN), MARGIN + (1 - y) * (panel.height - 2 * MARGIN)];
  panel.at = (image) => {
    const start = 2 * (number * atlas.count + image);
    return panel.place(atlas.points[start], atlas.points[start + 1]);
  };
  panel.resize = (width, height) => {
    Object.assign(panel, { width: width - 2, height: height - 2 }); // without the border
    Object.assign(frame.style, { width: `${width}px`, height: `${height}px` });
    for (const canvas of canvases) {
      canvas.width = panel.width * devicePixelRatio;
      canvas.height = panel.height * devicePixelRatio;
      canvas.getContext("2d").scale(devicePixelRatio, devicePixelRatio);
    }
  };
  [panel.below, panel.above] = canvases.map((canvas) => canvas.getContext("2d"));
  return panel;
}

function dot(context, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

function paintPoints(panel, atlas, selected) {
  const context = panel.below, chosen = new Set(selected);
  context.clearRect(0, 0, panel.width, panel.height);
  for (const bright of [false, true]) { // the selected ones on top
    context.globalAlpha = bright ? 1 : 0.18;
    for (let image = 0; image < atlas.count; image++) {
      if ((!chosen.size || chosen.has(image)) !== bright) continue;
      context.fillStyle = atlas.colour(atlas.labels[image]);
      dot(context, panel.at(image), RADIUS);
      context.fill();
    }
  }
}

function paintOver(panel, atlas, state, mark) {
  const context = panel.above;
  context.clearRect(0, 0, panel.width, panel.height);
  context.strokeStyle = context.fillStyle = getComputedStyle(panel.frame).color;
  if (state.image >= 0) {
    context.lineWidth = 1;
    for (const other of state.panel === panel ? atlas.near(panel.number, state.image) : []) {
      dot(context, panel.at(other), RADIUS + 2);
      context.stroke();
    }
    context.lineWidth = 2.5;
    dot(context, panel.at(state.image), RADIUS + 5);
    context.stroke();
  }
  if (mark) paintMark(context, panel, mark);
  if (state.lasso.length && state.panel === panel) {
    context.lineWidth = 1.5;
    context.beginPath();
    for (const [x, y] of state.lasso) context.lineTo(x, y);
    context.closePath();
    context.stroke();
    context.globalAlpha = 0.08;
    context.fill();
    context.globalAlpha = 1;
  }
}

function paintMark(context, panel, mark) { // a cross, tied to its neighbours
  const [x, y] = panel.place(...mark.place);
  context.lineWidth = 1;
  for (const other of mark.neighbours) {
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(...panel.at(other));
    context.stroke();
    dot(context, panel.at(other), RADIUS + 2);
    context.stroke();
  }
  context.lineWidth = 3;
  context.beginPath();
  for (const [dx, dy] of [[-6, -6], [6, 6], [6, -6], [-6, 6]]) {
    context.moveTo(x, y);
    context.lineTo(x + dx, y + dy);
  }
  context.stroke();
}

function nearest(panel, atlas, [x, y]) {
  let best = -1, least = REACH ** 2;
  for (let image = 0; image < atlas.count; image++) {
    const [a, b] = panel.at(image), distance = (a - x) ** 2 + (b - y) ** 2;
    if (distance < least) [best, least] = [image, distance];
  }
  return best;
}

function isInside([x, y], polygon) { // a ray to the right crosses the edge an odd number of times
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [ax, ay] = polygon[i], [bx, by] = polygon[j];
    if (ay > y !== by > y && x < ax + ((bx - ax) * (y - ay)) / (by - ay)) inside = !inside;
  }
  return inside;
}

function tile(atlas, image, size, parent) {
  const box = element("div", "tile", parent), picture = element("i", "", box);
  const column = image % atlas.columns, row = Math.floor(image / atlas.columns);
  Object.assign(picture.style, {
    width: `${size}px`, height: `${size}px`,
    backgroundImage: `url(${atlas.sheet})`,
    backgroundSize: `${atlas.columns * size}px`,
    backgroundPosition: `${-column * size}px ${-row * size}px`,
  });
  box.style.setProperty("--mine", atlas.colour(atlas.labels[image]));
  box.append(atlas.classes[atlas.labels[image]]);
}

function fillTip(tip, atlas, space, image) {
  tip.replaceChildren();
  const own = element("div", "", tip);
  element("div", "head", own, "this image");
  tile(atlas, image, 84, own);
  for (const [title, from] of [["nearest in latent space", space], ["nearest in pixels", atlas.names.length]]) {
    const block = element("div", "", tip);
    element("div", "head", block, title);
    const near = element("div", "near", block);
    for (const other of atlas.near(from, image)) tile(atlas, other, 44, near);
  }
}

function placeTip(tip, event, frame) { // below the maps or above them, so that no ring is hidden; beside the pointer where neither fits
  tip.style.display = "flex";
  const box = tip.getBoundingClientRect(), map = frame.getBoundingClientRect();
  const free = [map.bottom + 4, map.top - 4 - box.height].find((top) => top >= 0 && top + box.height <= innerHeight);
  const beside = event.clientY > innerHeight / 2 ? event.clientY - 18 - box.height : event.clientY + 18;
  tip.style.left = `${Math.max(4, Math.min(event.clientX - box.width / 2, innerWidth - box.width - 4))}px`;
  tip.style.top = `${free ?? beside}px`;
}

function makeLegend(atlas, legend, select) {
  atlas.classes.forEach((name, label) => {
    const button = element("button", "", legend, name);
    button.style.setProperty("--mine", atlas.colour(label));
    button.title = `select all of class ${name}`;
    button.onclick = () => select([...atlas.labels.keys()].filter((image) => atlas.labels[image] === label));
  });
  element("button", "clear", legend, "clear").onclick = () => select([]);
}

function follow(panel, atlas, state, tip, trace, select) {
  const position = (event) => [event.offsetX, event.offsetY];
  const point = (event) => {
    const found = nearest(panel, atlas, position(event));
    if (found < 0) tip.style.display = "none";
    else if (found !== state.image || state.panel !== panel) fillTip(tip, atlas, panel.number, found);
    Object.assign(state, { image: found, panel });
    if (found >= 0) placeTip(tip, event, panel.frame);
  };
  panel.over.onpointerdown = (event) => {
    panel.over.setPointerCapture(event.pointerId);
    Object.assign(state, { panel, image: -1, lasso: [position(event)] });
    tip.style.display = "none";
  };
  panel.over.onpointermove = (event) => {
    if (state.lasso.length) state.lasso.push(position(event));
    else point(event);
    trace();
  };
  panel.over.onpointerup = (event) => {
    const images = [...Array(atlas.count).keys()], here = nearest(panel, atlas, position(event));
    if (state.lasso.length > 3) select(images.filter((image) => isInside(panel.at(image), state.lasso)));
    else select(here < 0 ? [] : [here]);
    state.lasso = [];
    trace();
  };
  panel.over.onpointerleave = panel.over.onpointercancel = () => {
    Object.assign(state, { image: -1, lasso: [] });
    tip.style.display = "none";
    trace();
  };
}

function render({ model, el }) {
  const atlas = unpack(model), state = { image: -1, panel: null, lasso: [] };
  const root = element("div", "latent-maps", el), legend = element("div", "legend", root), row = element("div", "row", root);
  const hint = "t-SNE maps of the same images. Hover: neighbours. Drag: select with a lasso. Click a class: select it.";
  element("div", "hint", root, hint);
  const tip = element("div", "latent-tip", document.body);
  const panels = atlas.names.map((_, number) => makePanel(atlas, number, row));
  const select = (images) => { model.set("selected", images); model.save_changes(); };
  const trace = () => panels.forEach((panel) => paintOver(panel, atlas, state, model.get("marks")[panel.number]));
  const paint = () => panels.forEach((panel) => paintPoints(panel, atlas, model.get("selected")));
  const fit = () => {
    const width = Math.min(520, Math.floor((root.clientWidth - 8 * (panels.length - 1)) / panels.length));
    if (width < 40) return; // not on the page yet
    panels.forEach((panel) => panel.resize(width, Math.round(Math.min(0.85 * width, panels.length > 1 ? 240 : 400))));
    paint();
    trace();
  };
  makeLegend(atlas, legend, select);
  panels.forEach((panel) => follow(panel, atlas, state, tip, trace, select));
  const watcher = new ResizeObserver(fit);
  watcher.observe(root);
  model.on("change:selected", paint);
  model.on("change:marks", trace);
  return () => {
    watcher.disconnect();
    model.off("change:selected", paint);
    model.off("change:marks", trace);
    tip.remove();
    URL.revokeObjectURL(atlas.sheet);
  };
}

export default { render };
