// One quantity as layers by steps: a colour for each, its value under the pointer or by the arrow keys.

import { el, number, short, ticks } from './dom.js';
import { QUANTITIES, ZERO, gradient, scale } from './scale.js';

const ROW = 22;
const AXIS = 34;
const RIGHT = 14;

// state: {row, column} of the cursor, kept from one drawing to the next. marked: {unit, step} of the finding shown.
export function heatmap(map, quantity, { left, width, last, marked, state }) {
  const columns = map.steps.map((step, i) => i).filter((i) => map.steps[i] <= last);
  const values = map.values.map((row) => columns.map((i) => number(row[i])));
  const steps = columns.map((i) => map.steps[i]);
  const scaled = scale(quantity, values.flat());
  const plot = width - left - RIGHT;
  const x = (step) => (Math.min(step, last + 1) / (last + 1)) * plot;
  const edges = [...steps, end(steps)].map((step) => Math.round(x(step)));
  const canvas = el('canvas', { style: `width:${plot}px;height:${map.units.length * ROW + AXIS}px` });
  draw(canvas, { map, values, steps, edges, scaled, plot, last, x, marked });
  const labels = el('div', { class: 'layers', style: `width:${left}px` }, map.units.map((unit) =>
    el('div', { title: unit, class: marked?.unit === unit ? 'marked' : null }, unit)));
  const tip = el('div', { class: 'tip', hidden: true });
  const cursor = el('div', { class: 'cursor', hidden: true });
  const told = el('p', { class: 'told', 'aria-live': 'polite' });
  const frame = el('div', { class: 'cells', tabindex: 0, id: 'heatmap', role: 'application',
    'aria-label': `${QUANTITIES[quantity][0]} of ${map.units.length} layers at ${steps.length} steps. `
      + 'Arrow keys move from value to value.' }, canvas, cursor, tip);
  follow(frame, { tip, cursor, told }, { map, values, steps, edges, state });
  return el('div', {}, legend(scaled, values.flat()), el('div', { class: 'map' }, labels, frame), told);
}

// The last column is as wide as the one before it.
function end(steps) {
  const [before, last] = steps.slice(-2);
  return last == null ? before + 1 : last + (last - before);
}

function draw(canvas, { map, values, steps, edges, scaled, plot, last, x, marked }) {
  const ratio = window.devicePixelRatio || 1;
  const height = map.units.length * ROW;
  canvas.width = plot * ratio;
  canvas.height = (height + AXIS) * ratio;
  const pen = canvas.getContext('2d');
  pen.scale(ratio, ratio);
  const hatch = pattern(pen);
  const style = getComputedStyle(document.documentElement);
  values.forEach((row, r) => row.forEach((value, c) => {
    if (value == null) return;
    pen.fillStyle = Number.isFinite(value) ? scaled.colour(value) : hatch;
    pen.fillRect(edges[c], r * ROW + 1, Math.max(edges[c + 1] - edges[c], 1), ROW - 2);
  }));
  pen.fillStyle = style.getPropertyValue('--text');
  pen.font = '12px sans-serif';
  pen.textAlign = 'center';
  for (const step of ticks(0, last, 8).filter(Number.isInteger)) {
    pen.fillText(String(step), Math.min(Math.max(x(step), 6), plot - 10), height + 15);
  }
  pen.textAlign = 'right';
  pen.fillText('step', plot, height + 30);
  if (marked?.step != null && marked.step <= last) outline(pen, x(marked.step), height, style);
}

function outline(pen, at, height, style) {
  pen.strokeStyle = style.getPropertyValue('--bad');
  pen.lineWidth = 2;
  pen.setLineDash([5, 3]);
  pen.beginPath();
  pen.moveTo(at, 0);
  pen.lineTo(at, height);
  pen.stroke();
}

// White and black stripes: what is no number has no place on a scale.
function pattern(pen) {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 6;
  const brush = tile.getContext('2d');
  brush.fillStyle = '#fff';
  brush.fillRect(0, 0, 6, 6);
  brush.strokeStyle = '#000';
  brush.lineWidth = 2;
  for (const shift of [-6, 0, 6]) {
    brush.moveTo(shift, 6);
    brush.lineTo(shift + 6, 0);
  }
  brush.stroke();
  return pen.createPattern(tile, 'repeat');
}

function follow(frame, { tip, cursor, told }, { map, values, steps, edges, state }) {
  const show = (row, column, speak) => {
    const text = `${map.units[row]}, step ${steps[column]}: ${short(values[row][column])}`;
    const right = edges[column] > edges[edges.length - 1] / 2;
    tip.textContent = text;
    tip.hidden = cursor.hidden = false;
    tip.style.left = right ? '' : `${edges[column] + 12}px`;
    tip.style.right = right ? `${frame.clientWidth - edges[column] + 12}px` : '';
    tip.style.top = `${(row + 1) * ROW + 2}px`;
    cursor.style.cssText = `left:${edges[column]}px;top:${row * ROW}px;height:${ROW}px;`
      + `width:${Math.max(edges[column + 1] - edges[column], 2)}px`;
    if (speak) told.textContent = text;
  };
  const hide = () => {
    tip.hidden = cursor.hidden = true;
    told.textContent = '';
  };
  frame.addEventListener('pointermove', (event) => {
    const box = frame.getBoundingClientRect();
    const row = Math.floor((event.clientY - box.top) / ROW);
    const column = edges.findIndex((edge, i) => event.clientX - box.left >= edge
      && event.clientX - box.left < edges[i + 1]);
    if (row >= 0 && row < map.units.length && column >= 0) show(row, column, false);
    else hide();
  });
  frame.addEventListener('pointerleave', hide);
  frame.addEventListener('blur', hide);
  frame.addEventListener('keydown', (event) => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -1e9],
      End: [0, 1e9] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    state.row = Math.min(Math.max((state.row ?? 0) + move[0], 0), map.units.length - 1);
    state.column = Math.min(Math.max((state.column ?? 0) + move[1], 0), steps.length - 1);
    show(state.row, state.column, true);
  });
}

function legend({ kind, low, high, zeros }, values) {
  const middle = kind === 'log' ? Math.sqrt(low * high) : (low + high) / 2;
  const bar = el('span', { class: 'bar', style: `background:${gradient(kind)}` });
  const ends = el('span', { class: 'ends' }, [low, middle, high].map((v) => el('span', {}, short(v))));
  return el('div', { class: 'scale' }, el('div', {}, bar, ends), kind === 'log' ? 'logarithmic' : null,
    zeros ? el('span', {}, el('span', { class: 'swatch', style: `background:${ZERO}` }), ' exactly 0') : null,
    values.some((v) => v != null && !Number.isFinite(v))
      ? el('span', {}, el('span', { class: 'swatch hatch' }), ' NaN or infinite') : null);
}
