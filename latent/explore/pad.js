// A square of paper: draw on it with the pointer, or drop a file on it.

const SIDE = 112, PEN = 9; // pixels of the paper (as in pad.py), width of the pen

function render({ model, el }) {
  const root = document.createElement("div"), canvas = document.createElement("canvas"), clear = document.createElement("button");
  root.className = "latent-pad";
  clear.textContent = "clear";
  canvas.width = canvas.height = SIDE;
  canvas.setAttribute("aria-label", "paper to draw a digit on");
  root.append(canvas, clear);
  el.append(root);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(context, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
  let last = null, waiting = null;

  const wipe = () => { context.fillStyle = "#000"; context.fillRect(0, 0, SIDE, SIDE); };
  const send = () => {
    waiting = null;
    const levels = context.getImageData(0, 0, SIDE, SIDE).data.filter((_, index) => index % 4 === 0); // red alone: it is grey
    model.set("picture", new DataView(new Uint8Array(levels).buffer));
    model.save_changes();
  };
  const soon = () => { waiting ??= requestAnimationFrame(send); }; // once a frame; while Python is busy, the latest picture waits
  const position = (event) => [event.offsetX, event.offsetY].map((length) => (length * SIDE) / canvas.clientWidth);

  canvas.onpointerdown = (event) => { canvas.setPointerCapture(event.pointerId); last = position(event); canvas.onpointermove(event); };
  canvas.onpointermove = (event) => {
    if (!last) return;
    const here = position(event);
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(...here);
    context.stroke();
    last = here;
    soon();
  };
  canvas.onpointerup = canvas.onpointercancel = () => { last = null; };
  clear.onclick = () => { wipe(); send(); };

  canvas.ondragover = (event) => { event.preventDefault(); canvas.classList.add("ready"); };
  canvas.ondragleave = () => canvas.classList.remove("ready");
  canvas.ondrop = async (event) => {
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would take the file for itself
    canvas.classList.remove("ready");
    const file = event.dataTransfer.files[0];
    if (!file) return;
    wipe();
    model.set("file", new DataView(await file.arrayBuffer()));
    model.save_changes();
  };
  wipe();
  return () => cancelAnimationFrame(waiting);
}

export default { render };
