'use strict';
// SPDX-License-Identifier: Apache-2.0
// What the page shows of a run: the input, the answer, the time of each layer, the outputs.
// Text from models and files only ever becomes text nodes; nothing is parsed as HTML.

const $ = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';

// ---- small parts ----

function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  const {style, ...rest} = properties;
  for (const [name, value] of Object.entries(rest)) {
    if (name in node)
      node[name] = value;
    else
      node.setAttribute(name, value);
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

const show = (id, visible) => {
  $(id).hidden = !visible;
};
const number = (v) =>
    (v === null || v === undefined ? '–' :
         Number.isInteger(v)       ? v.toLocaleString('en') :
                                     Number(v).toPrecision(5).replace(/\.?0+(e|$)/, '$1'));
const percent = (v) => (v > 0.9995 ? '100 %' : v < 0.001 ? '< 0.1 %' : `${(100 * v).toFixed(1)} %`);
const seconds = (s) => (s < 10 ? `${s.toFixed(1)} s` : `${Math.round(s)} s`);
const pairs = (rows) =>
    rows.map(([k, v, kind]) => make('div', {className: kind ?? ''}, make('dt', {}, k), make('dd', {}, v)));

// ---- drawings ----

function sight(source, text) {
  const picture = make('img', {src: source, alt: text});
  picture.addEventListener('load', () => {
    const {naturalWidth: width, naturalHeight: height} = picture;
    if (Math.max(width, height) < 320) picture.classList.add('pixels');
    if (height < 352) picture.style.width = `${Math.min(width * 4, (352 * width) / height)}px`;
  });
  picture.addEventListener('error', () => {  // damaged, or of a kind that only the server knows
    picture.remove();
    show('scene', false);
    show('empty', true);
  });
  return make('div', {className: 'sight'}, picture);
}

function inputs(result) {
  const scene = $('scene');
  const shown = scene.querySelector('.sight');
  scene.replaceChildren();
  for (const input of result.inputs) {
    if (input.kind === 'picture')
      scene.append(...pictureInput(input, shown));
    else if (input.kind === 'sound')
      scene.append(soundInput(input));
    else
      scene.append(make('div', {className: 'array'}, drawing(input.drawing, input.name), caption(input)));
  }
  show('empty', false);
  show('scene', true);
  show('again', true);
}

const caption = (v) => make(
    'p', {className: 'note'}, `${v.name}: ${v.dtype}, ${shape(v.shape)}${v.given === false ? ', random numbers' : ''}`);
const shape = (dims) => dims.join(' × ') || 'a single number';

function pictureInput(input, shown) {
  const [height, width] =
      input.shape.length === 4 && input.shape[1] <= 4 ? input.shape.slice(2) : input.shape.slice(1, 3);
  const size = `${width} × ${height} pixels`;
  const picture = shown?.querySelector('img');
  if (!picture || picture.naturalWidth === 0) {  // no picture file, or of a kind that the browser does not know
    return [
      sight(input.png, 'the picture as the model sees it'),
      make('p', {className: 'note'}, `${size}${input.given ? '' : ', random numbers'}`)
    ];
  }
  if (picture.naturalWidth === width && picture.naturalHeight === height) return [shown];
  return [
    shown,
    make(
        'p', {className: 'aside'}, make('img', {src: input.png, alt: 'the picture as the model sees it'}),
        `What the model sees: ${size}`)
  ];
}

function soundInput(input) {
  const parts = [curve(input.points, `wave of ${input.name}`)];
  if (input.spectrogram)
    parts.push(make(
        'img',
        {className: 'spectrum', src: input.spectrogram.png, alt: 'spectrogram: time to the right, frequency upwards'}));
  parts.push(input.rate ? make('p', {className: 'note'}, soundText(input)) : caption(input));
  return make('div', {className: 'sound'}, ...parts);
}

function soundText(input) {
  const taken = input.elements;
  const channels = input.channels === 1 ? 'mono' : `${input.channels} channels, averaged`;
  const text = `${seconds(input.samples / input.rate)} at ${(input.rate / 1000).toFixed(1)} kHz, ${channels}`;
  if (input.samples > taken) return `${text}; the model takes the first ${seconds(taken / input.rate)}`;
  if (input.samples < taken) return `${text}; silence was added up to ${seconds(taken / input.rate)}`;
  return text;
}

function curve(points, name) {
  const low = Math.min(0, ...points.map((p) => p[0]));
  const high = Math.max(0, ...points.map((p) => p[1]));
  const span = high - low || 1;
  const y = (v) => (100 * (high - v)) / span;
  const bar = ([a, b], i) => {
    const top = y(Math.max(b, 0));
    const bottom = Math.max(y(Math.min(a, 0)), top + 0.7);  // a hair where there is nothing
    return `M${i} ${top.toFixed(2)}h.9V${bottom.toFixed(2)}h-.9z`;
  };
  const wave = draw('path', {class: 'wave', d: points.map(bar).join('')});
  return draw(
      'svg', {
        class: 'curve',
        viewBox: `0 0 ${points.length} 100`,
        preserveAspectRatio: 'none',
        role: 'img',
        'aria-label': `${name}: from ${number(low)} to ${number(high)}`
      },
      draw('path', {class: 'axis', d: `M0 ${y(0)}H${points.length}`, 'vector-effect': 'non-scaling-stroke'}), wave);
}

function drawing(view, name) {
  if (!view) return null;
  if (view.kind === 'curve') return curve(view.points, name);
  const form = view.kind === 'picture' ? 'picture' :
      view.width > 5 * view.height     ? 'long' :
      view.height > 1.3 * view.width   ? 'tall' :
                                         '';
  const what = view.kind === 'picture' ? 'picture' : 'map of values, dark is low';
  return make('img', {className: `map ${form}`, src: view.png, alt: `${name}: ${what}`, title: view.text ?? ''});
}

// ---- the answer ----

function answer(result) {
  const parts = [];
  const classes = result.outputs.find((o) => o.top && (o.top[0]?.label || o.probabilities || o.elements > 16));
  const reads = result.outputs.find((o) => o.text !== undefined);
  if (result.boxes)
    parts.push(...boxes(result.boxes));
  else if (classes)
    parts.push(...best(classes));
  else if (reads)
    parts.push(make(
        'p', {className: 'verdict'}, reads.text || '(nothing)',
        make('small', {}, `${reads.shape[1]} steps of ${reads.name}`)));
  else
    parts.push(...plain(result.outputs));
  parts.push(chips(result));
  $('answer').replaceChildren(...parts);
}

function best(output) {
  const value = (v) => (output.probabilities ? percent(v) : number(v));
  const name = (t) => t.label ?? `class ${t.index}`;
  const span = output.max - output.min || 1;
  const part = (v) => (output.probabilities ? v : (v - output.min) / span);
  const rows = output.top.map(
      (t) => make(
          'li', {}, make('span', {className: 'label', title: name(t)}, name(t)),
          make('span', {className: 'value'}, value(t.value)),
          make('span', {className: 'rod'}, make('i', {style: {width: `${Math.max(0, 100 * part(t.value))}%`}}))));
  const [first] = output.top;
  return [
    make(
        'p', {className: 'verdict'}, name(first),
        make('small', {}, output.probabilities ? `${percent(first.value)} sure` : `score ${number(first.value)}`)),
    make('ol', {className: 'top', 'aria-label': 'the best classes'}, ...rows),
  ];
}

function plain(list) {
  const small = list.find((o) => o.values);
  if (small)
    return [make('p', {className: 'verdict'}, small.values.map(number).join('  '), make('small', {}, small.name))];
  const drawn = list.find((o) => o.drawing);
  if (!drawn) return [];
  return [
    drawing(drawn.drawing, drawn.name),
    make('p', {className: 'note'}, `${drawn.name}: ${drawn.dtype}, ${shape(drawn.shape)}`)
  ];
}

function hue(text) {
  let h = 7;
  for (const c of text) h = (h * 31 + c.codePointAt(0)) % 3600;
  return `hsl(${(h * 47) % 360} 85% 62%)`;
}

function boxes(found) {
  const sight = document.querySelector('#scene .sight');
  const layer = draw('svg', {viewBox: '0 0 1 1', preserveAspectRatio: 'none', 'aria-hidden': 'true'});
  const summary = make('p', {className: 'verdict'});
  const rows = make('ul', {className: 'found', 'aria-label': 'what was found'});
  const slider = make('input', {type: 'range', min: 0.05, max: 0.95, step: 0.05, value: 0.5, id: 'least'});
  const shown = make('span', {});
  if (sight) sight.append(layer);
  const update = () => {
    const kept = found.filter((f) => f.score >= Number(slider.value));
    shown.textContent = `${Math.round(100 * slider.value)} %`;
    layer.replaceChildren();
    for (const tag of sight ? sight.querySelectorAll('.tag') : []) tag.remove();
    const marks = kept.map((f) => mark(f, layer, sight));
    rows.replaceChildren(...kept.map((f, i) => row(f, i, marks)));
    const counts = new Map();
    for (const f of kept) counts.set(f.label, (counts.get(f.label) ?? 0) + 1);
    summary.replaceChildren(
        [...counts].map(([k, n]) => (n > 1 ? `${n} × ${k}` : k)).join(', ') || 'Nothing found',
        make('small', {}, `${kept.length} ${kept.length === 1 ? 'box' : 'boxes'}`));
  };
  slider.addEventListener('input', update);
  update();
  return [summary, make('label', {className: 'least'}, 'At least', slider, shown), rows];
}

function mark(f, layer, sight) {
  const [x1, y1, x2, y2] = f.box.map((v) => Math.min(1, Math.max(0, v)));
  const rectangle = draw('rect', {x: x1, y: y1, width: x2 - x1, height: y2 - y1, stroke: hue(f.label)});
  layer.append(rectangle);
  const tag = make(
      'span', {
        className: y1 < 0.06 ? 'tag under' : 'tag',
        'aria-hidden': 'true',
        style: {left: `${100 * x1}%`, top: `${100 * y1}%`, background: hue(f.label)}
      },
      `${f.label} ${Math.round(100 * f.score)}`);
  if (sight && x2 - x1 > 0.06) sight.append(tag);
  return [rectangle, tag];
}

function row(f, i, marks) {
  const point = (on) => marks.forEach((parts, k) => parts.forEach((p) => p.classList.toggle('dim', on && k !== i)));
  const [x1, y1, x2, y2] = f.box.map((v) => Math.round(100 * v));
  const item = make(
      'li', {tabIndex: 0, title: `from ${x1} %, ${y1} % to ${x2} %, ${y2} % of the picture`},
      make('i', {style: {background: hue(f.label)}}), f.label, make('span', {className: 'value'}, percent(f.score)));
  for (const [name, on] of [['mouseenter', true], ['mouseleave', false], ['focus', true], ['blur', false]])
    item.addEventListener(name, () => point(on));
  return item;
}

function chips(result) {
  const chip = (text, value, kind) => make('li', {}, `${text} `, make('b', {className: kind ?? ''}, value));
  const items = [chip('on', result.emulated ? `${result.device}, emulated` : result.device)];
  if (result.emulated)
    items.push(chip('emulation took', result.time));
  else
    items.push(
        chip(result.runs > 1 ? `median of ${result.runs} runs` : 'one run', result.time),
        chip('threads', String(result.threads)));
  const key = fed(state.fill);
  const known = state.bits.get(key) ?? {};
  for (const [name, digest] of Object.entries(known)) {
    if (name !== result.device)
      items.push(
          digest === result.digest ? chip('bits', `the same as on ${name} ✓`, 'same') :
                                     chip('bits', `not those of ${name}`, 'other'));
  }
  if (result.differs)
    items.push(
        result.differs.length ? chip('differs from when it was built:', result.differs.join(', '), 'other') :
                                chip('bits', 'as when it was built ✓', 'same'));
  state.bits.set(key, {...known, [result.device]: result.digest});
  return make('ul', {className: 'chips'}, ...items);
}

// ---- layers and outputs ----

function layers(result) {
  const timed = result.layers.filter((l) => l.ns);
  const total = timed.reduce((sum, l) => sum + l.ns, 0) || 1;
  strip(timed, total);
  byOp(timed, total);
  $('layers-note').textContent = result.emulated ?
      'Emulated: which layers are heavy, not how long a phone takes.' :
      'From the first layer to the last; wider is slower. Point at one for its name.';
  const places = [...new Set(result.layers.map((l) => l.on))].join(', ') || 'nothing';
  $('layers-summary').textContent = `All ${result.layers.length} layers, placed on: ${places}`;
  table(result.layers);
  show('layers', result.layers.length > 0);
}

function strip(timed, total) {
  const piece = (l) => {
    const title = `${l.index} ${l.op} ${l.name}: ${l.time}, ${percent(l.ns / total)}`;
    return make('i', {title, style: {width: `${(100 * l.ns) / total}%`, background: l.colour}});
  };
  $('strip').replaceChildren(...timed.map(piece));
  const slowest = [...timed].sort((a, b) => b.ns - a.ns).slice(0, 3);
  const texts = slowest.map((l) => `${l.op} ${percent(l.ns / total)}`);
  $('strip').setAttribute('aria-label', `${timed.length} layers; the slowest: ${texts.join(', ')}`);
}

function byOp(timed, total) {
  const sums = new Map();
  for (const l of timed) sums.set(l.op, {ns: (sums.get(l.op)?.ns ?? 0) + l.ns, colour: l.colour});
  const slowest = [...sums].sort((a, b) => b[1].ns - a[1].ns).slice(0, 8);
  const part = ([op, s]) =>
      make('span', {}, make('i', {style: {background: s.colour}}), op, make('b', {}, percent(s.ns / total)));
  $('by-op').replaceChildren(...slowest.map(part));
}

function table(rows) {
  const most = Math.max(...rows.map((l) => l.ns ?? 0), 1);
  const names = ['#', 'op', 'does', 'result', 'MACs', 'on', 'time', '', 'name'];
  const head = make('tr', {}, ...names.map((h) => make('th', {scope: 'col'}, h)));
  const cell = (text, className = '') => make('td', {className}, text);
  const line = (l) => {
    const bar = make('i', {style: {width: `${(100 * (l.ns ?? 0)) / most}%`}});
    const name = make('td', {className: 'name', title: l.name}, l.name);
    return make(
        'tr', {}, cell(String(l.index), 'n'), cell(l.op), cell(l.does), cell(l.result), cell(l.macs, 'n'), cell(l.on),
        cell(l.time, 'n'), cell(bar, 't'), name);
  };
  $('table').replaceChildren(head, ...rows.map(line));
}

function outputs(result) {
  $('cards').replaceChildren(...result.outputs.map((o) => {
    const figures =
        [['min', number(o.min)], ['max', number(o.max)], ['mean', number(o.mean)], ['deviation', number(o.std)]];
    if (o.zeros > 0) figures.push(['zeros', percent(o.zeros)]);
    if (o.not_finite) figures.push(['not finite', number(o.not_finite), 'bad']);
    return make(
        'article', {}, make('h3', {}, o.name), make('p', {className: 'kind'}, `${o.dtype}, ${shape(o.shape)}`),
        drawing(o.drawing, o.name), o.drawing?.text ? make('p', {className: 'note'}, o.drawing.text) : null,
        o.values ? make('p', {className: 'values'}, o.values.map(number).join('  ')) : null,
        o.elements ? make('dl', {className: 'figures'}, ...pairs(figures)) : make('p', {className: 'note'}, 'empty'));
  }));
  show('outputs', true);
}
