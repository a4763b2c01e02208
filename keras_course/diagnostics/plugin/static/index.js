// The tab "Diagnosis": TensorBoard calls `render` once, in a frame of its own.

import { causes } from './causes.js';
import { el } from './dom.js';
import { heatmap } from './heatmap.js';
import { QUANTITIES } from './scale.js';
import { timeline } from './timeline.js';
import { headline, state as stands, verdict } from './verdict.js';

const SECONDS = 5; // between two looks for news
const LEFT = 170; // width of the layers' names: timeline and heat map share their axis of steps
const PADDING = 20; // of the page, as in style.css
const STARTS = [100, 20]; // steps of the close views of the start

const state = { runs: [], chosen: null, run: null, pages: [], cause: '', quantity: null, marked: null, start: 0,
  cursor: {}, error: '' };
const main = el('main', {});

async function json(path) {
  const answer = await fetch(new URL(`../${path}`, import.meta.url));
  if (!answer.ok) throw new Error(`TensorBoard answered ${answer.status} to ${path}`);
  return answer.json();
}

async function look() {
  try {
    const { runs } = await json('runs');
    const news = JSON.stringify(runs) !== JSON.stringify(state.runs);
    if (!news && !state.error && state.ready) return;
    Object.assign(state, { runs, error: '', ready: true });
    if (!runs.some(({ run }) => run === state.chosen)) state.chosen = worst(runs);
    state.run = state.chosen == null ? null : await json(`run?name=${encodeURIComponent(state.chosen)}`);
  } catch (error) {
    state.error = String(error.message ?? error);
  }
  draw();
}

// The first that has a cause: that is what one comes to see.
const worst = (runs) => (runs.find(({ causes: found }) => found.length) ?? runs[0])?.run ?? null;

async function choose(run) {
  Object.assign(state, { chosen: run, marked: null, cursor: {}, quantity: null, start: 0 });
  try {
    state.run = await json(`run?name=${encodeURIComponent(run)}`);
  } catch (error) {
    state.error = String(error.message ?? error);
  }
  draw();
}

function draw() {
  const [focused, top] = [document.activeElement?.id, document.scrollingElement.scrollTop];
  main.replaceChildren(...parts());
  document.scrollingElement.scrollTop = top;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function parts() {
  const trouble = state.error ? el('p', { class: 'error', role: 'alert' }, `${state.error}. Trying again.`) : null;
  const pages = state.pages.length ? causes(state.pages, state.cause, explain) : null;
  if (!state.run) return [trouble ?? empty(), pages].filter(Boolean);
  return [trouble, state.runs.length > 1 ? overview() : null, verdict(state.run, { explain, point }), evidence(), pages]
    .filter(Boolean);
}

function empty() {
  const commands = 'keras-course diagnose --log logs/mine train.py\ntensorboard --logdir logs/mine\n\n'
    + '# or, in a script of your own:\nfrom keras_course import diagnostics\n\n'
    + 'with diagnostics.watch("logs/mine") as seen:\n    train()\nprint(seen)';
  return el('section', {}, el('h2', {}, 'No diagnosis yet'),
    el('p', {}, 'This tab shows why a network does not train. There is no watched run in TensorBoard’s log folder. '
      + 'Watch one, and start TensorBoard on the folder that it writes to:'),
    el('pre', {}, commands), el('p', {}, `This page looks for new runs every ${SECONDS} seconds.`));
}

function overview() {
  const rows = state.runs.map((run) => {
    const brief = { ...run, findings: run.causes.map((cause) => ({ cause, kind: 'named' })) };
    return el('tr', { class: run.run === state.chosen ? 'chosen' : null },
      el('td', {}, el('button', { type: 'button', class: 'link', id: `run-${run.run}`,
        'aria-current': run.run === state.chosen ? 'true' : null, onclick: () => choose(run.run) }, run.run)),
      el('td', {}, stands(run)), el('td', {}, headline(brief)),
      el('td', {}, run.causes.flatMap((cause, i) => [i ? ', ' : '', el('code', {}, cause)])));
  });
  return el('section', { 'aria-labelledby': 'runs' }, el('h2', { id: 'runs' }, 'Runs'), el('div', { class: 'wide' },
    el('table', {}, el('thead', {}, el('tr', {}, ['run', 'state', 'verdict', 'causes'].map((name) =>
      el('th', { scope: 'col' }, name)))), el('tbody', {}, rows))));
}

function evidence() {
  const { run } = state;
  const width = Math.max(main.clientWidth - 2 * PADDING, 480);
  const end = Math.max(run.step - 1, ...run.loss.steps, ...Object.values(run.maps).flatMap(({ steps }) => steps), 1);
  const last = state.start ? Math.min(state.start, end) : end;
  const findings = [...run.findings.filter(({ kind }) => kind === 'named'),
    ...run.findings.filter(({ kind }) => kind !== 'named')].map((finding, i) => ({ label: i + 1, step: finding.step,
    cause: finding.cause, note: finding.kind !== 'named', show: () => to(`finding-${i + 1}`) }));
  return el('section', { 'aria-labelledby': 'evidence' }, el('h2', { id: 'evidence', tabindex: -1 }, 'Evidence over the steps'),
    starts(end), timeline(run, findings, { left: LEFT, width, last }), maps(run, width, last));
}

// Much is decided in the first steps, where the axis of all steps is too narrow.
function starts(end) {
  const known = [0, ...STARTS.filter((count) => count < end / 1.5)];
  if (known.length === 1) return null;
  const choice = el('select', { id: 'start', onchange: (event) => { state.start = Number(event.target.value); draw(); } },
    known.map((count) => el('option', { value: count, selected: count === state.start },
      count ? `the first ${count}` : 'all')));
  return el('p', {}, el('label', { for: 'start' }, 'Steps: '), choice);
}

function maps(run, width, last) {
  const known = Object.keys(QUANTITIES).filter((quantity) => run.maps[quantity]);
  if (!known.length) return el('p', {}, 'Nothing was measured of the layers yet.');
  if (!known.includes(state.quantity)) state.quantity = quantityOf(run) ?? known[0];
  if (!known.includes(state.quantity)) [state.quantity] = known;
  const choice = el('select', { id: 'quantity', onchange: (event) => {
    Object.assign(state, { quantity: event.target.value, marked: null, cursor: {} });
    draw();
  } }, known.map((name) => el('option', { value: name, selected: name === state.quantity }, QUANTITIES[name][0])));
  return el('div', {}, el('h3', { id: 'layers', tabindex: -1 }, el('label', { for: 'quantity' }, 'Layer by step: '), choice),
    el('p', { class: 'hint' }, `${QUANTITIES[state.quantity][2]} The first layer is at the top.`),
    heatmap(run.maps[state.quantity], state.quantity, { left: LEFT, width, last, marked: state.marked,
      state: state.cursor }));
}

// What the first finding is about.
const quantityOf = (run) => run.findings.map(({ tag }) => tag.split('/')[0]).find((name) => run.maps[name]);

function explain(cause) {
  state.cause = cause;
  draw();
  to('causes');
}

function point(finding) {
  const [quantity, ...unit] = finding.tag.split('/');
  Object.assign(state, { quantity, marked: { unit: unit.join('/'), step: finding.step }, cursor: {} });
  draw();
  to('layers');
}

function to(id) {
  const target = document.getElementById(id);
  target?.scrollIntoView({ block: 'start' });
  target?.focus({ preventScroll: true });
}

// TensorBoard has a switch of its own for dark mode; this frame is of the same origin and can see it.
function theme() {
  let outer = null;
  try {
    outer = window.parent.document.body;
  } catch {
    // not in TensorBoard
  }
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const apply = () => {
    const dark = outer && outer !== document.body ? outer.classList.contains('dark-mode') : system.matches;
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    if (state.ready) draw();
  };
  apply();
  system.addEventListener('change', apply);
  if (outer) new MutationObserver(apply).observe(outer, { attributeFilter: ['class'] });
}

export async function render() {
  document.documentElement.lang = 'en';
  const style = el('link', { rel: 'stylesheet', href: new URL('style.css', import.meta.url).href });
  const styled = new Promise((done) => { style.onload = style.onerror = done; });
  document.head.append(style);
  theme();
  document.body.append(main);
  await styled;
  let wait = 0;
  window.addEventListener('resize', () => { clearTimeout(wait); wait = setTimeout(draw, 150); });
  json('causes').then(({ causes: pages }) => { state.pages = pages; if (state.ready) draw(); }, () => {});
  await look();
  setInterval(() => { if (!document.hidden) look(); }, SECONDS * 1000);
}
