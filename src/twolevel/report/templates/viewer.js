// The viewer of a report: NiiVue shows a map; rows of tables move it; subjects are drawn at peaks.

const data = JSON.parse(document.getElementById("viewer-data").textContent);
const viewer = document.getElementById("viewer");
const controls = viewer.querySelector("form");
const canvas = viewer.querySelector("canvas");
const where = viewer.querySelector(".where");
const effects = viewer.querySelector(".effects");

// Blue below 0, red to yellow above: told apart by all kinds of colour blindness.
const COLOURS = {
  above: { R: [120, 120, 230, 255], G: [0, 0, 85, 240], B: [20, 20, 13, 160] },
  below: { R: [10, 10, 67, 200], G: [40, 40, 147, 235], B: [110, 110, 220, 255] },
};
const SVG = "http://www.w3.org/2000/svg";

const unpack = async (text) => {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).arrayBuffer();
};

let started = null; // a promise: NiiVue is loaded once, when it is first asked for
let shown = null; // the contrast in the viewer: its index, numbers, atlas, and what survives
let opener = null; // the button or row that asked for it: the keyboard goes back there

async function start() {
  if (!document.createElement("canvas").getContext("webgl2")) {
    throw new Error("This browser has no WebGL 2, which the viewer needs; the pictures stay.");
  }
  const source = new Blob([await unpack(document.getElementById("niivue").textContent)], {
    type: "text/javascript",
  });
  const { Niivue, NVImage } = await import(URL.createObjectURL(source));
  const nv = new Niivue({
    logLevel: "error",
    isColorbar: true,
    colorbarHeight: 0.04,
    multiplanarLayout: 3, // planes side by side
    multiplanarShowRender: 0, // no rendering
    crosshairColor: [0.2, 0.9, 0.3, 1],
    crosshairGap: 4,
    isSliceMM: true,
    dragAndDropEnabled: false,
    scrollRequiresFocus: true, // the wheel scrolls the page
  });
  await nv.attachToCanvas(canvas);
  for (const [name, { R, G, B }] of Object.entries(COLOURS)) {
    // What is smaller than the threshold takes the first colour, which is transparent.
    nv.addColormap(name, { R, G, B, A: [0, 255, 255, 255], I: [0, 1, 128, 255] });
  }
  nv.onLocationChange = ({ mm }) => tell(mm);
  return { nv, NVImage };
}

async function show(index) {
  document.querySelector(`.slot[data-contrast="${index}"]`).append(viewer);
  viewer.hidden = false; // before NiiVue measures its canvas
  started ??= start();
  const { nv, NVImage } = await started;
  nv.resizeListener();
  if (shown?.index === index) return nv;
  const contrast = data.contrasts[index];
  const grid = data.grids[contrast.grid];
  const background = await NVImage.new(await unpack(grid.background), "brain.nii", "gray", 1);
  background.colorbarVisible = false;
  const image = await NVImage.new(await unpack(contrast.image), "map.nii", "above", 1);
  const survives = new Uint16Array(await unpack(contrast.survives));
  const labels = grid.atlas && new Uint16Array(await unpack(grid.atlas.labels));
  while (nv.volumes.length) nv.removeVolume(nv.volumes[0]);
  nv.addVolume(background);
  nv.addVolume(image);
  const names = grid.atlas?.names;
  const step = image.hdr.scl_slope;
  shown = { index, contrast, survives, labels, names, values: image.img.slice(), step };
  const options = ["", ...contrast.tests].map((test) => new Option(test || "all", test));
  controls.test.replaceChildren(...options);
  controls.threshold.max = contrast.top;
  controls.threshold.step = contrast.top / 200;
  controls.test.parentElement.hidden = !contrast.tests.length;
  controls.querySelector(".quantity").textContent = `|${contrast.quantity}|`;
  controls.threshold.value = 0;
  refresh(nv);
  return nv;
}

function refresh(nv) {
  const [, map] = nv.volumes;
  const { contrast, survives, values } = shown;
  const bit = contrast.tests.indexOf(controls.test.value);
  for (let i = 0; i < values.length; i++) {
    map.img[i] = bit < 0 || (survives[i] >> bit) & 1 ? values[i] : 0;
  }
  const least = Math.max(Number(controls.threshold.value), shown.step);
  map.colormapNegative = "below";
  [map.cal_min, map.cal_max] = [least, contrast.top];
  [map.cal_minNeg, map.cal_maxNeg] = [-contrast.top, -least];
  map.opacity = Number(controls.opacity.value);
  controls["threshold-value"].value = Number(Number(controls.threshold.value).toPrecision(3));
  nv.updateGLVolume();
  // For tests and for other tools: how many voxels are drawn.
  viewer.dataset.visible = map.img.reduce((n, v) => n + (Math.abs(v * shown.step) >= least), 0);
}

function move(nv, point) {
  nv.scene.crosshairPos = nv.mm2frac(point);
  nv.createOnLocationChange();
  nv.drawScene();
}

function tell(mm) {
  if (!shown) return;
  const point = Array.from(mm.slice(0, 3));
  ["x", "y", "z"].forEach((axis, i) => {
    if (document.activeElement !== controls[axis]) controls[axis].value = point[i].toFixed(1);
  });
  const { contrast, survives, values, step, labels, names } = shown;
  const voxel = contrast.toVoxel.map(
    (row) => Math.round(row[0] * point[0] + row[1] * point[1] + row[2] * point[2] + row[3]),
  );
  const inside = voxel.every((v, i) => v >= 0 && v < contrast.shape[i]);
  const index = voxel[0] + contrast.shape[0] * (voxel[1] + contrast.shape[1] * voxel[2]);
  const analysed = inside && (survives[index] >> contrast.tests.length) & 1;
  const value = analysed
    ? `${contrast.quantity} = ${(values[index] * step).toPrecision(3)}`
    : "not analysed";
  const region = inside && labels ? (names[labels[index] - 1] ?? "") : "";
  where.textContent = `${contrast.name} at (${point.map((v) => v.toFixed(1)).join(", ")}) mm` +
    (region ? `, ${region}` : "") + `: ${value}`;
}

function drawEffects(peak) {
  const { contrast } = shown;
  const here = contrast.peaks[peak];
  effects.replaceChildren();
  if (!contrast.subjects) {
    const lost = "The maps of the subjects are not here any more, or not those of this group.";
    effects.textContent = contrast.quantity === "z" ? lost : "";
    return;
  }
  const rows = contrast.subjects.map((name, i) => [
    name,
    contrast.values[peak][i],
    contrast.halves?.[peak][i] ?? 0,
  ]);
  const all = [...rows, ["group", here.mean, here.half]];
  const low = Math.min(0, ...all.map(([, v, h]) => v - h));
  const high = Math.max(0, ...all.map(([, v, h]) => v + h));
  const left = 14 + 7 * Math.max(...all.map(([name]) => name.length));
  const [width, step] = [320, 16];
  const x = (v) => left + ((v - low) / (high - low || 1)) * width;
  const svg = document.createElementNS(SVG, "svg");
  const add = (tag, attributes, text = "") => {
    const element = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    svg.append(element);
    return element;
  };
  const height = step * all.length + 34;
  svg.setAttribute("viewBox", `0 0 ${left + width + 20} ${height}`);
  svg.setAttribute("role", "img");
  const place = here.at.map((v) => v.toFixed(0)).join(", ");
  const title = `Each subject at (${place}) mm${here.region ? `, ${here.region}` : ""}`;
  const interval = contrast.halves ? " with 95 % confidence intervals" : "";
  svg.setAttribute("aria-label", `${title}: ${contrast.units}${interval}`);
  add("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: height - 30 });
  all.forEach(([name, value, half], i) => {
    const y = step * (i + 0.5);
    const group = i === all.length - 1;
    const kind = group ? "group" : "subject";
    add("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, name);
    if (half) add("line", { class: kind, x1: x(value - half), x2: x(value + half), y1: y, y2: y });
    const dot = add("circle", { class: kind, cx: x(value), cy: y, r: group ? 5 : 3.5 });
    const label = document.createElementNS(SVG, "title");
    label.textContent = `${name}: ${value}` + (half ? ` ± ${half}` : "");
    dot.append(label);
  });
  for (const value of [low, 0, high]) {
    add(
      "text",
      { x: x(value), y: height - 18, "text-anchor": "middle" },
      Number(value.toPrecision(2)),
    );
  }
  add("text", { x: left + width / 2, y: height - 3, "text-anchor": "middle" }, contrast.units);
  const heading = document.createElement("p");
  const lines = contrast.halves ? "lines" : "line of the group";
  heading.textContent = `${title}; ${lines}: 95 % confidence`;
  const frame = document.createElement("div");
  frame.className = "frame";
  frame.tabIndex = 0;
  frame.append(svg);
  effects.append(heading, frame);
}

let queue = Promise.resolve(); // one after the other, however fast the clicks come
const go = (...what) => (queue = queue.then(() => goNow(...what)));

async function goNow(index, peak, test) {
  try {
    const nv = await show(index);
    if (test !== undefined) {
      controls.test.value = test;
      controls.threshold.value = 0;
      refresh(nv);
    }
    move(nv, shown.contrast.peaks[peak].at);
    drawEffects(peak);
    viewer.dataset.state = "ready";
  } catch (error) {
    where.textContent = error.message;
    viewer.dataset.state = "failed";
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.start");
  const row = event.target.closest("tr[data-peak]");
  if (button || row) opener = button ?? row.querySelector("button");
  if (button) go(Number(button.dataset.contrast), 0);
  if (row) {
    document.querySelector("tr.chosen")?.classList.remove("chosen");
    row.classList.add("chosen");
    go(Number(row.dataset.contrast), Number(row.dataset.peak), row.dataset.test).then(() =>
      viewer.scrollIntoView({ block: "nearest" })
    );
  }
});
controls.addEventListener("submit", (event) => event.preventDefault());
viewer.querySelector("button.close")?.addEventListener("click", () => {
  viewer.hidden = true;
  opener?.focus();
});
controls.addEventListener("input", async (event) => {
  if (!shown) return; // still on its way
  const { nv } = await started;
  if (["x", "y", "z"].includes(event.target.name)) {
    const point = ["x", "y", "z"].map((axis) => controls[axis].valueAsNumber);
    if (point.every(Number.isFinite)) move(nv, point);
  } else refresh(nv);
});
if (document.body.dataset.start) go(Number(document.body.dataset.start), 0);
