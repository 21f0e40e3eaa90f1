// SPDX-License-Identifier: Apache-2.0
// The page of `tealight serve`: takes files, asks the server to run them, draws what comes back.

const token = document.querySelector('meta[name=token]').content;
const POLL_MS = 150;

const state = {
  models: [],
  devices: [],
  maxBytes: 0,
  files: [],        // {file, input}: input is a name, or null where the server decides
  job: null,        // id of the run in progress
  turn: 0,          // of the newest run; an older one that comes back late is dropped
  fill: false,      // whether random numbers are what is missing
  example: null,    // which of the bundle's own is shown, instead of files
  done: null,       // id of the run that is shown
  bits: new Map(),  // what was fed -> {device: digest of the outputs}
  picture: null,    // object URL of the picture that is shown
};

const model = () => state.models[Number($('model').value)];
const device = () => state.devices.find((d) => d.name === $('device').value);
const ending = (name) => name.slice(name.lastIndexOf('.') + 1).toLowerCase();
const isPicture = (file) => ['jpg', 'jpeg', 'png', 'bmp', 'gif', 'webp', 'ppm'].includes(ending(file.name));

async function ask(path, options = {}) {
  const answer = await fetch(path, {...options, headers: {'X-Tealight-Token': token}});
  if (path.endsWith('.npz') && answer.ok) return answer.blob();
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error);
  return data;
}

function say(text, kind = '') {
  $('status').className = kind;
  if ($('status').textContent !== text) $('status').textContent = text;
}

// Messages read "<what>: <what was found>, <what was expected>; <what to do>".
function fail(message) {
  const at = message.search(/, expected |; /);
  const rest = at < 0 ? '' : message.slice(at + 2);
  $('error').replaceChildren(
      make('b', {}, at < 0 ? message : message.slice(0, at)),
      make('span', {}, rest.charAt(0).toUpperCase() + rest.slice(1)),
  );
  show('error', true);
  say('');
}

// ---- the model and its inputs ----

function choose() {
  const m = model();
  document.title = `${m.file} – Tealight`;
  facts(m);
  forget();
  say(m.labels ? 'Here come the best classes, the time of each layer, and every output.' :
                 'Here come the outputs, drawn, and the time of each layer.',
      'idle');
}

function facts(m) {
  $('file').textContent = m.file;
  $('facts').replaceChildren(...pairs(m.facts));
}

function forget() {
  state.turn += 1;
  if (state.job) stop();
  state.files = [];
  state.example = null;
  state.done = null;
  $('scene').replaceChildren();
  $('answer').replaceChildren();
  for (const id of ['scene', 'again', 'rerun', 'error', 'layers', 'outputs', 'progress']) show(id, false);
  for (const id of ['empty', 'ghost']) show(id, true);
  const takes = model().inputs;
  const kinds = {picture: 'a picture', sound: 'a sound', array: 'an array'};
  $('invite').textContent =
      takes.length === 1 ? `Drop ${kinds[takes[0].kind]} here, or choose a file` : 'Drop files here, or choose them';
  $('takes').textContent = takes.length === 1 ?
      `This model takes ${takes[0].takes}.` :
      `This model takes ${takes.length} inputs: drop a file for each, or one .npz with all.`;
  $('exactly').textContent = takes.length === 1 ? takes[0].text : '';
  $('pick').accept = '.npy,.npz' + (takes.some((t) => t.kind === 'picture') ? ',image/*' : '') +
      (takes.some((t) => t.kind === 'sound') ? ',.wav' : '');
  list();
}

const covered = () => state.files.some((f) => f.input === null);
const open = () => (covered() ? [] : model().inputs.filter((i) => !state.files.some((f) => f.input === i.name)));

function list() {
  const several = model().inputs.length > 1;
  show('wants', several);
  $('wants').replaceChildren(
      ...model().inputs.map((i) => {
        const given = state.files.find((f) => f.input === i.name || f.input === null);
        return make(
            'li', {className: given ? 'set' : 'open'}, make('b', {}, i.name),
            ` ${given ? given.file.name : `${i.takes}: ${i.text.replace(`${i.name}: `, '')}`}`);
      }),
  );
  const rest = several && state.files.length > 0 && open().length > 0;
  const examples = model().examples;
  show('example', examples > 0);
  $('example').textContent = examples > 1 && state.example !== null ? 'Try its next example' : 'Try its own example';
  $('random').textContent = rest ? 'Fill the rest with random numbers' : 'Try random numbers';
  $('random').classList.toggle('main', rest);
  $('in-note').textContent = rest ? `Still open: ${open().map((i) => i.name).join(', ')}.` : '';
}

function take(dropped) {
  if (!dropped.length || !state.models.length) return;
  const files = [...dropped];
  const total = files.reduce((sum, f) => sum + f.size, 0);
  if (total > state.maxBytes - 70000) {
    show('error', false);
    fail(`${files[0].name}: ${(total / 1e6).toFixed(1)} MB, expected at most ${
        (state.maxBytes / 1e6).toFixed(0)} MB; make it smaller, or start with --max-upload`);
    return;
  }
  if (!open().length || files.some((f) => ending(f.name) === 'npz')) state.files = [];
  state.example = null;
  for (const file of files) {
    if (ending(file.name) === 'npz') {
      state.files = [{file, input: null}];
      break;
    }
    const kind = isPicture(file) ? 'picture' : ending(file.name) === 'wav' ? 'sound' : 'array';
    const target = open().find((i) => i.kind === kind) ?? open()[0];
    if (target) state.files.push({file, input: target.name});
  }
  list();
  if (!open().length) run(false);
}

// ---- a run ----

function request(fill) {
  const files = state.files.map((f) => ({name: f.file.name, input: f.input, size: f.file.size}));
  const header = new TextEncoder().encode(
      JSON.stringify({model: Number($('model').value), device: device().name, fill, example: state.example, files}));
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, header.length, true);
  return new Blob([length, header, ...state.files.map((f) => f.file)]);
}

// What a run depends on, as a key: the same key must give the same bits on every device.
const fed = (fill) => [$('model').value, model().build, fill, state.example,
                       ...state.files.map((f) => [f.file.name, f.file.size, f.file.lastModified])]
                          .join('|');

async function run(fill) {
  if (state.job) await stop();
  const turn = ++state.turn;
  state.fill = fill;
  for (const id of ['error', 'ghost', 'layers', 'outputs']) show(id, false);
  $('answer').replaceChildren();
  say('Sending …');
  preview();
  try {
    let job = await ask('/api/run', {method: 'POST', body: request(fill)});
    if (turn !== state.turn) return;
    state.job = job.id;
    show('progress', true);
    while (job.state === 'queued' || job.state === 'running') {
      tell(job);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      job = await ask(`/api/jobs/${job.id}`);
      if (turn !== state.turn) return;
    }
    finish(job);
  } catch (error) {
    if (turn === state.turn)
      fail(
          error instanceof TypeError ? 'server: no answer, expected tealight serve to run; start it again and reload' :
                                       error.message);
  } finally {
    if (turn === state.turn) {
      state.job = null;
      show('progress', false);
      show('rerun', true);
    }
  }
}

function tell(job) {
  const bar = $('bar');
  if (job.state === 'queued') {
    say(job.ahead ? `Waiting: ${job.ahead} before this one` : 'Waiting');
    bar.removeAttribute('value');
    return;
  }
  const stage = job.stage.charAt(0).toUpperCase() + job.stage.slice(1);
  const left = (job.expected_seconds ?? 0) - job.seconds;
  say(job.seconds < 1 ?
          `${stage} …` :
          `${stage} … ${Math.round(job.seconds)} s${left > 1 ? `, about ${Math.round(left)} s to go` : ''}`);
  if (job.expected_seconds)
    bar.value = Math.min(0.98, job.seconds / job.expected_seconds);
  else
    bar.removeAttribute('value');
}

async function stop() {
  const id = state.job;
  state.job = null;
  if (id) await ask(`/api/jobs/${id}/cancel`, {method: 'POST'}).catch(() => null);
}

function finish(job) {
  if (job.state === 'failed') return fail(job.error);
  if (job.state === 'cancelled') return say('Cancelled.');
  state.done = job.id;
  const result = job.result;
  state.models[Number($('model').value)] = result.model;  // its file may have been built again
  facts(result.model);
  inputs(result);
  answer(result);
  layers(result);
  outputs(result);
  return say(spoken(result), 'done');
}

// What a screen reader says when a run is over; the eye has the rest.
function spoken(result) {
  const verdict = [...($('answer').querySelector('.verdict')?.childNodes ?? [])].map((n) => n.textContent).join(', ');
  return `Done: ${verdict ? `${verdict}; ` : ''}${
      result.emulated ? `emulated ${result.device}` : `${result.time} on ${result.device}`}`;
}

function preview() {
  if (state.picture) URL.revokeObjectURL(state.picture);
  state.picture = null;
  $('scene').replaceChildren();
  const first = state.files.find((f) => isPicture(f.file));
  if (first) {
    state.picture = URL.createObjectURL(first.file);
    $('scene').append(sight(state.picture, `the picture ${first.file.name}`));
  }
  show('empty', !first);
  show('scene', Boolean(first));
  show('again', Boolean(first));
}

async function save() {
  try {
    const url = URL.createObjectURL(await ask(`/api/jobs/${state.done}/outputs.npz`));
    make('a', {href: url, download: `${model().file.replace(/\.tea$/, '')}_outputs.npz`}).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  } catch (error) {
    fail(error.message);
  }
}

// ---- events ----

function changeDevice() {
  const d = device();
  $('device-note').textContent = d.missing ||
      `An emulated ${
          d.name} gives the bits that the phone gives, but takes hundreds of times as long as this machine.` +
          ' Its times say nothing about a phone; a run can be cancelled.';
  show('device-note', d.emulated);
  if (!d.missing && (state.done || state.job)) run(state.fill);
}

function listen() {
  $('pick').addEventListener('change', () => {
    take($('pick').files);
    $('pick').value = '';
  });
  $('random').addEventListener('click', () => {
    if (!open().length) state.files = [];
    state.example = null;
    list();
    run(true);
  });
  $('example').addEventListener('click', () => {
    state.files = [];
    state.example = state.example === null ? 0 : (state.example + 1) % model().examples;
    list();
    run(false);
  });
  $('rerun').addEventListener('click', () => run(state.fill));
  $('cancel').addEventListener('click', () => {
    if (state.job) ask(`/api/jobs/${state.job}/cancel`, {method: 'POST'}).catch(() => null);
  });
  $('save').addEventListener('click', save);
  $('model').addEventListener('change', choose);
  $('device').addEventListener('change', changeDevice);
  let depth = 0;
  const over = (d) => {
    depth = Math.max(0, d);
    document.body.classList.toggle('over', depth > 0);
  };
  addEventListener('dragenter', (e) => {
    e.preventDefault();
    over(depth + 1);
  });
  addEventListener('dragleave', () => over(depth - 1));
  addEventListener('dragover', (e) => e.preventDefault());
  addEventListener('drop', (e) => {
    e.preventDefault();
    over(0);
    take(e.dataTransfer.files);
  });
  addEventListener('pagehide', () => {  // nobody is there any more to see what comes out
    if (state.job)
      fetch(`/api/jobs/${state.job}/cancel`, {method: 'POST', keepalive: true, headers: {'X-Tealight-Token': token}});
  });
  addEventListener('paste', (e) => take(e.clipboardData.files));
}

async function start() {
  try {
    const found = await ask('/api/models');
    state.models = found.models;
    state.devices = found.devices;
    state.maxBytes = found.max_bytes;
  } catch (error) {
    fail(error.message);
    return;
  }
  $('model').append(...state.models.map((m, i) => make('option', {value: String(i)}, m.file)));
  $('device').append(...state.devices.map(
      (d) => make(
          'option', {value: d.name}, d.emulated ? `${d.name} (emulated${d.missing ? ', not set up' : ''})` : d.name)));
  show('model-field', state.models.length > 1);
  choose();
  listen();
  document.body.dataset.ready = 'yes';
}

start();
