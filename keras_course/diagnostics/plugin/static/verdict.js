// The verdict on a run: its causes with confidence, evidence, place and repair, then notes.

import { counted, el, sentence, short } from './dom.js';
import { QUANTITIES } from './scale.js';

export function headline(run) {
  const causes = run.findings.filter((finding) => finding.kind === 'named').length;
  if (causes) return `${counted(causes, 'cause')} found`;
  return run.finished ? 'Healthy: no cause found' : 'No cause found so far';
}

export function state(run) {
  const steps = counted(run.step, 'step');
  if (run.finished) return `finished after ${steps}`;
  const at = `step ${run.step.toLocaleString('en')}`;
  return run.quiet ? `not finished, no news since ${at}` : `still running, ${at}`;
}

// actions: {explain(cause), point(finding)}
export function verdict(run, actions) {
  const named = run.findings.filter((finding) => finding.kind === 'named');
  const notes = run.findings.filter((finding) => finding.kind !== 'named');
  const kind = named.length ? 'bad' : run.finished ? 'good' : 'open';
  const sign = { bad: '✕', good: '✓', open: '…' }[kind];
  return el('section', { 'aria-labelledby': 'verdict' },
    el('h2', { id: 'verdict', class: kind }, el('span', { class: 'sign', 'aria-hidden': 'true' }, sign), ' ', headline(run)),
    el('p', { class: 'about' }, ...about(run)),
    el('ol', { class: 'findings' }, named.map((finding, i) => card(finding, i + 1, actions))),
    notes.length ? el('h3', {}, 'Notes: symptoms of a cause, and what is odd without harm') : null,
    el('ol', { class: 'findings notes', start: named.length + 1 },
      notes.map((finding, i) => note(finding, named.length + i + 1, actions))),
    run.unseen.length ? el('details', {}, el('summary', {}, 'What was not watched'),
      el('ul', {}, run.unseen.map((sentence) => el('li', {}, sentence)))) : null);
}

function about(run) {
  const rate = run.rate == null ? '' : ` at rate ${short(run.rate)}`;
  const how = run.optimizer ? `, ${run.optimizer}${rate}` : '';
  const what = run.name === run.interface ? run.name : `${run.name}: ${run.interface}`;
  return [`${what}${how}, ${state(run)}`, run.file ? [', ', place(run)] : ''].flat();
}

// The file's name and line; its folder on hover.
function place({ file, line }) {
  const name = file.split(/[\\/]/).pop();
  return el('span', { title: file }, line ? `${name}:${line}` : name);
}

function card(finding, label, actions) {
  const percent = Math.round((finding.confidence ?? 0) * 100);
  const where = [finding.layer && `layer ${finding.layer}`, finding.step != null && `step ${finding.step}`,
    finding.file && place(finding)].filter(Boolean).flatMap((part, i) => (i ? [', ', part] : [part]));
  const quantity = finding.tag.split('/')[0];
  const row = (name, ...value) => [el('dt', {}, name), el('dd', {}, ...value)];
  return el('li', { id: `finding-${label}`, tabindex: -1 },
    el('h3', {}, el('span', { class: 'label' }, String(label)), ' ', el('code', {}, finding.cause),
      el('span', { class: 'confidence' }, el('meter', { min: 0, max: 1, value: finding.confidence ?? 0,
        'aria-label': 'confidence' }), ` ${percent} % confidence`, confirmed(finding))),
    finding.what ? el('p', { class: 'what' }, sentence(finding.what)) : null,
    el('dl', {},
      finding.evidence ? row('Evidence', finding.evidence, finding.tag ? el('span', { class: 'tag' }, ' in ',
        el('code', {}, finding.tag)) : null) : null,
      where.length ? row('Where', ...where) : null,
      finding.repair ? row('Repair', el('code', { class: 'repair' }, finding.repair)) : null),
    el('p', { class: 'actions' },
      el('button', { id: `explain-${label}`, type: 'button', onclick: () => actions.explain(finding.cause) },
        'About this cause and its repair'),
      QUANTITIES[quantity] ? el('button', { id: `point-${label}`, type: 'button',
        onclick: () => actions.point(finding) }, `Show ${QUANTITIES[quantity][0].toLowerCase()} by layer`) : null));
}

function note(finding, label, actions) {
  return el('li', { id: `finding-${label}`, tabindex: -1 }, el('span', { class: 'label' }, String(label)),
    el('button', { type: 'button', class: 'link', id: `explain-${label}`,
      onclick: () => actions.explain(finding.cause) }, finding.cause),
    el('span', {}, finding.evidence || sentence(finding.what)));
}

function confirmed(finding) {
  if (finding.confirmed == null) return '';
  return finding.confirmed ? ', confirmed by trying the repair' : ', not confirmed by trying the repair';
}
