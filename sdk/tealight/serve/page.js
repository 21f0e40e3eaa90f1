"use strict";
// The page of `tealight serve`: takes files, asks the server to run them, draws what comes back.
// Text from models and files only ever becomes text nodes; nothing is parsed as HTML.

const $ = (id) => document.getElementById(id);
const token = document.querySelector("meta[name=token]").content;
const SVG = "http://www.w3.org/2000/svg";
const POLL_MS = 150;

const state = {
  models: [], devices: [], maxBytes: 0,
  files: [], // {file, input}: input is a name, or null where the server decides
  job: null, // id of the run in progress
  turn: 0, // of the newest run; an older one that comes back late is dropped
  fill: false, // whether random numbers are what is missing
  example: null, // which of the bundle's own is shown, instead of files
  done: null, // id of the run that is shown
  bits: new Map(), // what was fed -> {device: digest of the outputs}
  picture: null, // object URL of the picture that is shown
};

// ---- small parts ----

function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  const { style, ...rest } = properties;
  for (const [name, value] of Object.entries(rest)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  for (const [name, value] of Object.entries(style ?? {})) node.style.setProperty(name, value);
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

function draw(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const show = (id, visible) => { $(id).hidden = !visible; };
const number = (v) => (v === null || v === undefined ? "–" : Number.isInteger(v) ? v.toLocaleString("en") : Number(v).toPrecision(5).replace(/\.?0+(e|$)/, "$1"));
const percent = (v) => (v > 0.9995 ? "100 %" : v < 0.001 ? "< 0.1 %" : `${(100 * v).toFixed(1)} %`);
const seconds = (s) => (s < 10 ? `${s.toFixed(1)} s` : `${Math.round(s)} s`);
const pairs = (rows) => rows.map(([k, v, kind]) => make("div", { className: kind ?? "" }, make("dt", {}, k), make("dd", {}, v)));
const model = () => state.models[Number($("model").value)];
const device = () => state.devices.find((d) => d.name === $("device").value);
const ending = (name) => name.slice(name.lastIndexOf(".") + 1).toLowerCase();
const isPicture = (file) => ["jpg", "jpeg", "png", "bmp", "gif", "webp", "ppm"].includes(ending(file.name));

async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "X-Tealight-Token": token } });
  if (path.endsWith(".npz") && answer.ok) return answer.blob();
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error);
  return data;
}

function say(text, kind = "") {
  $("status").className = kind;
  if ($("status").textContent !== text) $("status").textContent = text;
}

// Messages read "<what>: <what was found>, <what was expected>; <what to do>".
function fail(message) {
  const at = message.search(/, expected |; /);
  const rest = at < 0 ? "" : message.slice(at + 2);
  $("error").replaceChildren(
    make("b", {}, at < 0 ? message : message.slice(0, at)),
    make("span", {}, rest.charAt(0).toUpperCase() + rest.slice(1)),
  );
  show("error", true);
  say("");
}

// ---- the model and its inputs ----

function choose() {
  const m = model();
  document.title = `${m.file} – Tealight`;
  facts(m);
  forget();
  say(m.labels ? "Here come the best classes, the time of each layer, and every output." : "Here come the outputs, drawn, and the time of each layer.", "idle");
}

function facts(m) {
  $("file").textContent = m.file;
  $("facts").replaceChildren(...pairs(m.facts));
}

function forget() {
  state.turn += 1;
  if (state.job) stop();
  state.files = [];
  state.example = null;
  state.done = null;
  $("scene").replaceChildren();
  $("answer").replaceChildren();
  for (const id of ["scene", "again", "rerun", "error", "layers", "outputs", "progress"]) show(id, false);
  for (const id of ["empty", "ghost"]) show(id, true);
  const takes = model().inputs;
  const kinds = { picture: "a picture", sound: "a sound", array: "an array" };
  $("invite").textContent = takes.length === 1 ? `Drop ${kinds[takes[0].kind]} here, or choose a file` : "Drop files here, or choose them";
  $("takes").textContent = takes.length === 1 ? `This model takes ${takes[0].takes}.` : `This model takes ${takes.length} inputs: drop a file for each, or one .npz with all.`;
  $("exactly").textContent = takes.length === 1 ? takes[0].text : "";
  $("pick").accept = ".npy,.npz" + (takes.some((t) => t.kind === "picture") ? ",image/*" : "") + (takes.some((t) => t.kind === "sound") ? ",.wav" : "");
  list();
}

const covered = () => state.files.some((f) => f.input === null);
const open = () => (covered() ? [] : model().inputs.filter((i) => !state.files.some((f) => f.input === i.name)));

function list() {
  const several = model().inputs.length > 1;
  show("wants", several);
  $("wants").replaceChildren(
    ...model().inputs.map((i) => {
      const given = state.files.find((f) => f.input === i.name || f.input === null);
      return make("li", { className: given ? "set" : "open" }, make("b", {}, i.name), ` ${given ? given.file.name : `${i.takes}: ${i.text}`}`);
    }),
  );
  const rest = several && state.files.length > 0 && open().length > 0;
  const examples = model().examples;
  show("example", examples > 0);
  $("example").textContent = examples > 1 && state.example !== null ? "Try its next example" : "Try its own example";
  $("random").textContent = rest ? "Fill the rest with random numbers" : "Try random numbers";
  $("random").classList.toggle("main", rest);
  $("in-note").textContent = rest ? `Still open: ${open().map((i) => i.name).join(", ")}.` : "";
}

function take(dropped) {
  if (!dropped.length || !state.models.length) return;
  const files = [...dropped];
  const total = files.reduce((sum, f) => sum + f.size, 0);
  if (total > state.maxBytes - 70000) {
    show("error", false);
    fail(`${files[0].name}: ${(total / 1e6).toFixed(1)} MB, expected at most ${(state.maxBytes / 1e6).toFixed(0)} MB; make it smaller, or start with --max-upload`);
    return;
  }
  if (!open().length || files.some((f) => ending(f.name) === "npz")) state.files = [];
  state.example = null;
  for (const file of files) {
    if (ending(file.name) === "npz") { state.files = [{ file, input: null }]; break; }
    const kind = isPicture(file) ? "picture" : ending(file.name) === "wav" ? "sound" : "array";
    const target = open().find((i) => i.kind === kind) ?? open()[0];
    if (target) state.files.push({ file, input: target.name });
  }
  list();
  if (!open().length) run(false);
}

// ---- a run ----

function request(fill) {
  const files = state.files.map((f) => ({ name: f.file.name, input: f.input, size: f.file.size }));
  const header = new TextEncoder().encode(JSON.stringify({ model: Number($("model").value), device: device().name, fill, example: state.example, files }));
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, header.length, true);
  return new Blob([length, header, ...state.files.map((f) => f.file)]);
}

const fed = (fill) => [$("model").value, fill, state.example, ...state.files.map((f) => [f.file.name, f.file.size, f.file.lastModified])].join("|");

async function run(fill) {
  if (state.job) await stop();
  const turn = ++state.turn;
  state.fill = fill;
  for (const id of ["error", "ghost", "layers", "outputs"]) show(id, false);
  $("answer").replaceChildren();
  say("Sending …");
  preview();
  try {
    let job = await ask("/api/run", { method: "POST", body: request(fill) });
    if (turn !== state.turn) return;
    state.job = job.id;
    show("progress", true);
    while (job.state === "queued" || job.state === "running") {
      tell(job);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      job = await ask(`/api/jobs/${job.id}`);
      if (turn !== state.turn) return;
    }
    finish(job);
  } catch (error) {
    if (turn === state.turn) fail(error instanceof TypeError ? "server: no answer, expected tealight serve to run; start it again and reload" : error.message);
  } finally {
    if (turn === state.turn) { state.job = null; show("progress", false); show("rerun", true); }
  }
}

function tell(job) {
  const bar = $("bar");
  if (job.state === "queued") {
    say(job.ahead ? `Waiting: ${job.ahead} before this one` : "Waiting");
    bar.removeAttribute("value");
    return;
  }
  const stage = job.stage.charAt(0).toUpperCase() + job.stage.slice(1);
  const left = (job.expected_seconds ?? 0) - job.seconds;
  say(job.seconds < 1 ? `${stage} …` : `${stage} … ${Math.round(job.seconds)} s${left > 1 ? `, about ${Math.round(left)} s to go` : ""}`);
  if (job.expected_seconds) bar.value = Math.min(0.98, job.seconds / job.expected_seconds);
  else bar.removeAttribute("value");
}

async function stop() {
  const id = state.job;
  state.job = null;
  if (id) await ask(`/api/jobs/${id}/cancel`, { method: "POST" }).catch(() => null);
}

function finish(job) {
  if (job.state === "failed") return fail(job.error);
  if (job.state === "cancelled") return say("Cancelled.");
  state.done = job.id;
  const result = job.result;
  state.models[Number($("model").value)] = result.model; // its file may have been built again
  facts(result.model);
  inputs(result);
  answer(result);
  layers(result);
  outputs(result);
  return say(spoken(result), "done");
}

// What a screen reader says when a run is over; the eye has the rest.
function spoken(result) {
  const verdict = [...($("answer").querySelector(".verdict")?.childNodes ?? [])].map((n) => n.textContent).join(", ");
  return `Done: ${verdict ? `${verdict}; ` : ""}${result.emulated ? `emulated ${result.device}` : `${result.time} on ${result.device}`}`;
}

// ---- drawings ----

function preview() {
  if (state.picture) URL.revokeObjectURL(state.picture);
  state.picture = null;
  $("scene").replaceChildren();
  const first = state.files.find((f) => isPicture(f.file));
  if (first) {
    state.picture = URL.createObjectURL(first.file);
    $("scene").append(sight(state.picture, `the picture ${first.file.name}`));
  }
  show("empty", !first);
  show("scene", Boolean(first));
  show("again", Boolean(first));
}

function sight(source, text) {
  const picture = make("img", { src: source, alt: text });
  picture.addEventListener("load", () => {
    const { naturalWidth: width, naturalHeight: height } = picture;
    if (Math.max(width, height) < 320) picture.classList.add("pixels");
    if (height < 352) picture.style.width = `${Math.min(width * 4, (352 * width) / height)}px`;
  });
  return make("div", { className: "sight" }, picture);
}

function inputs(result) {
  const scene = $("scene");
  const shown = scene.querySelector(".sight");
  scene.replaceChildren();
  for (const input of result.inputs) {
    if (input.kind === "picture") scene.append(...pictureInput(input, shown));
    else if (input.kind === "sound") scene.append(soundInput(input));
    else scene.append(make("div", { className: "array" }, drawing(input.drawing, input.name), caption(input)));
  }
  show("empty", false);
  show("scene", true);
  show("again", true);
}

const caption = (v) => make("p", { className: "note" }, `${v.name}: ${v.dtype}, ${shape(v.shape)}${v.given === false ? ", random numbers" : ""}`);
const shape = (dims) => dims.join(" × ") || "a single number";

function pictureInput(input, shown) {
  const [height, width] = input.shape.length === 4 && input.shape[1] <= 4 ? input.shape.slice(2) : input.shape.slice(1, 3);
  const size = `${width} × ${height} pixels`;
  const picture = shown?.querySelector("img");
  if (!picture || picture.naturalWidth === 0) { // no picture file, or of a kind that the browser does not know
    return [sight(input.png, "the picture as the model sees it"), make("p", { className: "note" }, `${size}${input.given ? "" : ", random numbers"}`)];
  }
  if (picture.naturalWidth === width && picture.naturalHeight === height) return [shown];
  return [shown, make("p", { className: "aside" }, make("img", { src: input.png, alt: "the picture as the model sees it" }), `What the model sees: ${size}`)];
}

function soundInput(input) {
  const parts = [curve(input.points, `wave of ${input.name}`)];
  if (input.spectrogram) parts.push(make("img", { className: "spectrum", src: input.spectrogram.png, alt: "spectrogram: time to the right, frequency upwards" }));
  const taken = input.elements;
  if (input.rate) {
    const cut = input.samples > taken ? `; the model takes the first ${seconds(taken / input.rate)}` : input.samples < taken ? `; silence was added up to ${seconds(taken / input.rate)}` : "";
    parts.push(make("p", { className: "note" }, `${seconds(input.samples / input.rate)} at ${(input.rate / 1000).toFixed(1)} kHz, ${input.channels === 1 ? "mono" : `${input.channels} channels, averaged`}${cut}`));
  } else parts.push(caption(input));
  return make("div", { className: "sound" }, ...parts);
}

function curve(points, name) {
  const low = Math.min(0, ...points.map((p) => p[0]));
  const high = Math.max(0, ...points.map((p) => p[1]));
  const span = high - low || 1;
  const y = (v) => (100 * (high - v)) / span;
  const wave = draw("path", { class: "wave", d: points.map(([a, b], i) => `M${i} ${y(Math.max(b, 0)).toFixed(2)}h.9V${Math.max(y(Math.min(a, 0)), y(Math.max(b, 0)) + 0.7).toFixed(2)}h-.9z`).join("") });
  return draw("svg", { class: "curve", viewBox: `0 0 ${points.length} 100`, preserveAspectRatio: "none", role: "img", "aria-label": `${name}: from ${number(low)} to ${number(high)}` }, draw("path", { class: "axis", d: `M0 ${y(0)}H${points.length}`, "vector-effect": "non-scaling-stroke" }), wave);
}

function drawing(view, name) {
  if (!view) return null;
  if (view.kind === "curve") return curve(view.points, name);
  const form = view.kind === "picture" ? "picture" : view.width > 5 * view.height ? "long" : view.height > 1.3 * view.width ? "tall" : "";
  const what = view.kind === "picture" ? "picture" : "map of values, dark is low";
  return make("img", { className: `map ${form}`, src: view.png, alt: `${name}: ${what}`, title: view.text ?? "" });
}

// ---- the answer ----

function answer(result) {
  const parts = [];
  const classes = result.outputs.find((o) => o.top && (o.top[0]?.label || o.probabilities || o.elements > 16));
  const reads = result.outputs.find((o) => o.text !== undefined);
  if (result.boxes) parts.push(...boxes(result.boxes));
  else if (classes) parts.push(...best(classes));
  else if (reads) parts.push(make("p", { className: "verdict" }, reads.text || "(nothing)", make("small", {}, `${reads.shape[1]} steps of ${reads.name}`)));
  else parts.push(...plain(result.outputs));
  parts.push(chips(result));
  $("answer").replaceChildren(...parts);
}

function best(output) {
  const value = (v) => (output.probabilities ? percent(v) : number(v));
  const name = (t) => t.label ?? `class ${t.index}`;
  const span = output.max - output.min || 1;
  const part = (v) => (output.probabilities ? v : (v - output.min) / span);
  const rows = output.top.map((t) =>
    make("li", {}, make("span", { className: "label", title: name(t) }, name(t)), make("span", { className: "value" }, value(t.value)),
      make("span", { className: "rod" }, make("i", { style: { width: `${Math.max(0, 100 * part(t.value))}%` } }))));
  const [first] = output.top;
  return [
    make("p", { className: "verdict" }, name(first), make("small", {}, output.probabilities ? `${percent(first.value)} sure` : `score ${number(first.value)}`)),
    make("ol", { className: "top", "aria-label": "the best classes" }, ...rows),
  ];
}

function plain(list) {
  const small = list.find((o) => o.values);
  if (small) return [make("p", { className: "verdict" }, small.values.map(number).join("  "), make("small", {}, small.name))];
  const drawn = list.find((o) => o.drawing);
  if (!drawn) return [];
  return [drawing(drawn.drawing, drawn.name), make("p", { className: "note" }, `${drawn.name}: ${drawn.dtype}, ${shape(drawn.shape)}`)];
}

function hue(text) {
  let h = 7;
  for (const c of text) h = (h * 31 + c.codePointAt(0)) % 3600;
  return `hsl(${(h * 47) % 360} 85% 62%)`;
}

function boxes(found) {
  const sight = document.querySelector("#scene .sight");
  const layer = draw("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  const summary = make("p", { className: "verdict" });
  const rows = make("ul", { className: "found", "aria-label": "what was found" });
  const slider = make("input", { type: "range", min: 0.05, max: 0.95, step: 0.05, value: 0.5, id: "least" });
  const shown = make("span", {});
  if (sight) sight.append(layer);
  const update = () => {
    const kept = found.filter((f) => f.score >= Number(slider.value));
    shown.textContent = `${Math.round(100 * slider.value)} %`;
    layer.replaceChildren();
    for (const tag of sight ? sight.querySelectorAll(".tag") : []) tag.remove();
    const marks = kept.map((f) => mark(f, layer, sight));
    rows.replaceChildren(...kept.map((f, i) => row(f, i, marks)));
    const counts = new Map();
    for (const f of kept) counts.set(f.label, (counts.get(f.label) ?? 0) + 1);
    summary.replaceChildren([...counts].map(([k, n]) => (n > 1 ? `${n} × ${k}` : k)).join(", ") || "Nothing found", make("small", {}, `${kept.length} ${kept.length === 1 ? "box" : "boxes"}`));
  };
  slider.addEventListener("input", update);
  update();
  return [summary, make("label", { className: "least" }, "At least", slider, shown), rows];
}

function mark(f, layer, sight) {
  const [x1, y1, x2, y2] = f.box.map((v) => Math.min(1, Math.max(0, v)));
  const rectangle = draw("rect", { x: x1, y: y1, width: x2 - x1, height: y2 - y1, stroke: hue(f.label) });
  layer.append(rectangle);
  const tag = make("span", { className: y1 < 0.06 ? "tag under" : "tag", "aria-hidden": "true", style: { left: `${100 * x1}%`, top: `${100 * y1}%`, background: hue(f.label) } }, `${f.label} ${Math.round(100 * f.score)}`);
  if (sight && x2 - x1 > 0.06) sight.append(tag);
  return [rectangle, tag];
}

function row(f, i, marks) {
  const point = (on) => marks.forEach((parts, k) => parts.forEach((p) => p.classList.toggle("dim", on && k !== i)));
  const [x1, y1, x2, y2] = f.box.map((v) => Math.round(100 * v));
  const item = make("li", { tabIndex: 0, title: `from ${x1} %, ${y1} % to ${x2} %, ${y2} % of the picture` }, make("i", { style: { background: hue(f.label) } }), f.label, make("span", { className: "value" }, percent(f.score)));
  for (const [name, on] of [["mouseenter", true], ["mouseleave", false], ["focus", true], ["blur", false]]) item.addEventListener(name, () => point(on));
  return item;
}

function chips(result) {
  const chip = (text, value, kind) => make("li", {}, `${text} `, make("b", { className: kind ?? "" }, value));
  const items = [chip("on", result.emulated ? `${result.device}, emulated` : result.device)];
  if (result.emulated) items.push(chip("emulation took", result.time));
  else items.push(chip(result.runs > 1 ? `median of ${result.runs} runs` : "one run", result.time), chip("threads", String(result.threads)));
  const key = fed(state.fill);
  const known = state.bits.get(key) ?? {};
  for (const [name, digest] of Object.entries(known)) {
    if (name !== result.device) items.push(digest === result.digest ? chip("bits", `the same as on ${name} ✓`, "same") : chip("bits", `not those of ${name}`, "other"));
  }
  if (result.differs) items.push(result.differs.length ? chip("differs from when it was built:", result.differs.join(", "), "other") : chip("bits", "as when it was built ✓", "same"));
  state.bits.set(key, { ...known, [result.device]: result.digest });
  return make("ul", { className: "chips" }, ...items);
}

// ---- layers and outputs ----

function layers(result) {
  const total = result.layers.reduce((sum, l) => sum + (l.ns ?? 0), 0) || 1;
  const most = Math.max(...result.layers.map((l) => l.ns ?? 0), 1);
  const timed = result.layers.filter((l) => l.ns);
  $("strip").replaceChildren(...timed.map((l) => make("i", { title: `${l.index} ${l.op} ${l.name}: ${l.time}, ${percent(l.ns / total)}`, style: { width: `${(100 * l.ns) / total}%`, background: l.colour } })));
  $("strip").setAttribute("aria-label", `${timed.length} layers; the slowest: ${[...timed].sort((a, b) => b.ns - a.ns).slice(0, 3).map((l) => `${l.op} ${percent(l.ns / total)}`).join(", ")}`);
  $("layers-note").textContent = result.emulated
    ? "Emulated: which layers are heavy, not how long a phone takes."
    : "From the first layer to the last; wider is slower. Point at one for its name.";
  const sums = new Map();
  for (const l of timed) sums.set(l.op, { ns: (sums.get(l.op)?.ns ?? 0) + l.ns, colour: l.colour });
  $("by-op").replaceChildren(...[...sums].sort((a, b) => b[1].ns - a[1].ns).slice(0, 8).map(([op, s]) => make("span", {}, make("i", { style: { background: s.colour } }), op, make("b", {}, percent(s.ns / total)))));
  const places = new Set(result.layers.map((l) => l.on));
  $("layers-summary").textContent = `All ${result.layers.length} layers, placed on: ${[...places].join(", ") || "nothing"}`;
  const head = make("tr", {}, ...["#", "op", "does", "result", "MACs", "on", "time", "", "name"].map((h) => make("th", { scope: "col" }, h)));
  $("table").replaceChildren(head, ...result.layers.map((l) => make("tr", {},
    make("td", { className: "n" }, String(l.index)), make("td", {}, l.op), make("td", {}, l.does), make("td", {}, l.result),
    make("td", { className: "n" }, l.macs), make("td", {}, l.on), make("td", { className: "n" }, l.time),
    make("td", { className: "t" }, make("i", { style: { width: `${(100 * (l.ns ?? 0)) / most}%` } })),
    make("td", { className: "name", title: l.name }, l.name))));
  show("layers", result.layers.length > 0);
}

function outputs(result) {
  $("cards").replaceChildren(...result.outputs.map((o) => {
    const figures = [["min", number(o.min)], ["max", number(o.max)], ["mean", number(o.mean)], ["deviation", number(o.std)]];
    if (o.zeros > 0) figures.push(["zeros", percent(o.zeros)]);
    if (o.not_finite) figures.push(["not finite", number(o.not_finite), "bad"]);
    return make("article", {}, make("h3", {}, o.name), make("p", { className: "kind" }, `${o.dtype}, ${shape(o.shape)}`),
      drawing(o.drawing, o.name), o.drawing?.text ? make("p", { className: "note" }, o.drawing.text) : null,
      o.values ? make("p", { className: "values" }, o.values.map(number).join("  ")) : null,
      o.elements ? make("dl", { className: "figures" }, ...pairs(figures)) : make("p", { className: "note" }, "empty"));
  }));
  show("outputs", true);
}

async function save() {
  try {
    const url = URL.createObjectURL(await ask(`/api/jobs/${state.done}/outputs.npz`));
    make("a", { href: url, download: `${model().file.replace(/\.tea$/, "")}_outputs.npz` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  } catch (error) {
    fail(error.message);
  }
}

// ---- events ----

function changeDevice() {
  const d = device();
  $("device-note").textContent = d.missing || `An emulated ${d.name} gives the bits that the phone gives, but takes hundreds of times as long as this machine. Its times say nothing about a phone; a run can be cancelled.`;
  show("device-note", d.emulated);
  if (!d.missing && (state.done || state.job)) run(state.fill);
}

function listen() {
  $("pick").addEventListener("change", () => { take($("pick").files); $("pick").value = ""; });
  $("random").addEventListener("click", () => {
    if (!open().length) state.files = [];
    state.example = null;
    list();
    run(true);
  });
  $("example").addEventListener("click", () => {
    state.files = [];
    state.example = state.example === null ? 0 : (state.example + 1) % model().examples;
    list();
    run(false);
  });
  $("rerun").addEventListener("click", () => run(state.fill));
  $("cancel").addEventListener("click", () => { if (state.job) ask(`/api/jobs/${state.job}/cancel`, { method: "POST" }).catch(() => null); });
  $("save").addEventListener("click", save);
  $("model").addEventListener("change", choose);
  $("device").addEventListener("change", changeDevice);
  let depth = 0;
  const over = (d) => { depth = Math.max(0, d); document.body.classList.toggle("over", depth > 0); };
  addEventListener("dragenter", (e) => { e.preventDefault(); over(depth + 1); });
  addEventListener("dragleave", () => over(depth - 1));
  addEventListener("dragover", (e) => e.preventDefault());
  addEventListener("drop", (e) => { e.preventDefault(); over(0); take(e.dataTransfer.files); });
  addEventListener("pagehide", () => { // nobody is there any more to see what comes out
    if (state.job) fetch(`/api/jobs/${state.job}/cancel`, { method: "POST", keepalive: true, headers: { "X-Tealight-Token": token } });
  });
  addEventListener("paste", (e) => take(e.clipboardData.files));
}

async function start() {
  try {
    const found = await ask("/api/models");
    state.models = found.models;
    state.devices = found.devices;
    state.maxBytes = found.max_bytes;
  } catch (error) {
    fail(error.message);
    return;
  }
  $("model").append(...state.models.map((m, i) => make("option", { value: String(i) }, m.file)));
  $("device").append(...state.devices.map((d) => make("option", { value: d.name }, d.emulated ? `${d.name} (emulated${d.missing ? ", not set up" : ""})` : d.name)));
  show("model-field", state.models.length > 1);
  choose();
  listen();
  document.body.dataset.ready = "yes";
}

start();
