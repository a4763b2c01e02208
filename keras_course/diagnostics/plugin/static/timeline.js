// The loss over the steps, with a numbered mark at the step of each finding.

import { el, number, short, svg, ticks } from './dom.js';

const PLOT = 160;
const MARGIN = { bottom: 34, right: 14 };
const MARK = 24; // height of a row of marks, which stand above the plot

function vertical(values, top) {
  const finite = values.filter(Number.isFinite);
  let [low, high] = finite.length ? [Math.min(...finite), Math.max(...finite)] : [0, 1];
  const log = low > 0 && high / low > 50;
  if (log && low === high) [low, high] = [low / 2, high * 2];
  if (!log && low > 0) low = 0; // from 0 on: a plateau with noise is to look like a plateau
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const share = log ? (v) => Math.log(v / low) / Math.log(high / low) : (v) => (v - low) / (high - low);
  const labels = log ? decades(low, high) : ticks(low, high, 4);
  return { log, labels, y: (v) => top + (1 - share(v)) * PLOT };
}

function decades(low, high) {
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
  const every = Math.max(1, Math.ceil((last - first + 1) / 5));
  const found = [];
  for (let power = first; power <= last; power += every) found.push(10 ** power);
  return found.length > 1 ? found : [low, high];
}

function path(points, x, y) {
  let pen = 'M';
  return points.map(([step, value]) => {
    if (!Number.isFinite(value)) {
      pen = 'M';
      return '';
    }
    const part = `${pen}${x(step).toFixed(1)},${y(value).toFixed(1)}`;
    pen = 'L';
    return part;
  }).join('');
}

const points = (curve) => curve.steps.map((step, i) => [step, number(curve.values[i])]);

// findings: [{label, step, cause, note, show}], in the order of the verdict.
export function timeline(run, findings, { left, width, last }) {
  const inside = ([step]) => step <= last;
  const loss = points(run.loss).filter(inside);
  const epochs = run.steps_per_epoch
    ? points(run.val_loss).map(([epoch, value]) => [(epoch + 1) * run.steps_per_epoch - 1, value]).filter(inside)
    : [];
  if (!loss.length) return el('p', {}, 'No loss was seen.');
  const x = (step) => left + (step / (last + 1)) * (width - left - MARGIN.right);
  const placed = rows(findings.filter(({ step }) => step != null && step <= last), x);
  const top = 12 + MARK * Math.max(0, ...placed.map(({ row }) => row + 1));
  const { log, labels, y } = vertical([...loss, ...epochs].map(([, value]) => value), top);
  const bottom = top + PLOT;
  const picture = svg('svg', { width, height: bottom + MARGIN.bottom, class: 'timeline', role: 'group', 'aria-label': said(loss) });
  for (const value of labels) {
    picture.append(svg('line', { x1: left, x2: width - MARGIN.right, y1: y(value), y2: y(value), class: 'grid' }),
      svg('text', { x: left - 16, y: y(value) + 4, 'text-anchor': 'end' }, short(value)));
  }
  for (const step of ticks(0, last, 8).filter(Number.isInteger)) {
    picture.append(svg('text', { x: x(step), y: bottom + 16, 'text-anchor': 'middle' }, String(step)));
  }
  picture.append(svg('text', { x: 0, y: y(labels[labels.length - 1]) + 4, class: 'axis' }, log ? 'loss (log)' : 'loss'),
    svg('text', { x: width - MARGIN.right, y: bottom + 31, 'text-anchor': 'end', class: 'axis' }, 'step'));
  picture.append(svg('path', { d: path(loss, x, y), class: 'loss' }));
  if (loss.filter(([, value]) => Number.isFinite(value)).length === 1) {
    const [step, value] = loss.find(([, v]) => Number.isFinite(v));
    picture.append(svg('circle', { cx: x(step), cy: y(value), r: 3, class: 'dot' }));
  }
  if (epochs.length) {
    picture.append(svg('path', { d: path(epochs, x, y), class: 'validation' }));
    const squares = epochs.length > 40 ? [] : epochs.filter(([, v]) => Number.isFinite(v));
    for (const [step, value] of squares) {
      picture.append(svg('rect', { x: x(step) - 3, y: y(value) - 3, width: 6, height: 6, class: 'square' }));
    }
  }
  picture.append(...broken(loss, x, { top, bottom, width }));
  picture.append(...placed.map((finding) => mark(finding, x(finding.step), bottom)));
  const legend = el('p', { class: 'legend' }, el('span', { class: 'key loss' }), ' training loss of each step ',
    epochs.length ? el('span', { class: 'key validation' }) : null, epochs.length ? ' validation loss of each epoch' : '');
  return el('div', {}, picture, legend);
}

function said(loss) {
  const [[first, from], [last, to]] = [loss[0], loss[loss.length - 1]];
  return `Loss from ${short(from)} at step ${first} to ${short(to)} at step ${last}`;
}

// From the first loss that is no number on.
function broken(loss, x, { top, bottom, width }) {
  const first = loss.find(([, value]) => !Number.isFinite(value));
  if (!first) return [];
  const [at, end] = [x(first[0]), width - MARGIN.right];
  const late = at > (width * 2) / 3;
  return [
    svg('rect', { x: at, y: top, width: Math.max(end - at, 4), height: bottom - top, class: 'broken' }),
    svg('text', { x: late ? at - 6 : at + 6, y: bottom - 8, class: 'bad', 'text-anchor': late ? 'end' : 'start' },
      `loss is ${short(first[1])} from step ${first[0]}`),
  ];
}

// Marks that would cover each other stand one above the other.
function rows(findings, x) {
  const placed = [];
  for (const finding of findings) {
    const near = placed.filter(({ step }) => Math.abs(x(step) - x(finding.step)) < MARK).map(({ row }) => row);
    let row = 0;
    while (near.includes(row)) row += 1;
    placed.push({ ...finding, row });
  }
  return placed;
}

function mark({ label, row, step, cause, note, show }, x, bottom) {
  const y = 11 + MARK * row;
  const open = (event) => {
    if (event.type === 'keydown' && event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    show();
  };
  const name = `Finding ${label}, ${cause}, at step ${step}`;
  return svg('g', { class: note ? 'mark note' : 'mark', tabindex: 0, role: 'button', 'aria-label': name,
    id: `mark-${label}`, onclick: open, onkeydown: open },
  svg('title', {}, name),
  svg('line', { x1: x, x2: x, y1: y, y2: bottom }),
  svg('circle', { cx: x, cy: y, r: 10 }),
  svg('text', { x, y: y + 4, 'text-anchor': 'middle' }, String(label)));
}
