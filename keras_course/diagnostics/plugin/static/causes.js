// The text on each cause: docs/diagnostics.md, one page at a time.

import { el, sentence } from './dom.js';

// go(name): opens the page of another cause.
export function causes(pages, name, go) {
  const page = pages.find((candidate) => candidate.name === name);
  const groups = [...new Set(pages.map(({ group }) => group))];
  const choice = el('select', { id: 'cause', onchange: (event) => go(event.target.value) },
    el('option', { value: '' }, 'choose one'),
    groups.map((group) => el('optgroup', { label: group }, pages.filter((p) => p.group === group).map((p) =>
      el('option', { value: p.name, selected: p.name === name }, p.name)))));
  return el('section', { 'aria-labelledby': 'causes' },
    el('h2', { id: 'causes', tabindex: -1 }, 'What the causes mean'),
    el('p', {}, el('label', { for: 'cause' }, 'Cause '), choice),
    page ? el('article', {},
      el('h3', {}, el('code', {}, page.name)),
      el('p', { class: 'what' }, sentence(page.what)),
      el('dl', {}, row('Shows as', marked(page.symptoms)), row('Told apart by', marked(page.apart)),
        row('Repair', el('code', { class: 'repair' }, page.repair)),
        page.explains.length ? row('Explains', page.explains.flatMap((other, i) => [i ? ', ' : '',
          el('button', { type: 'button', class: 'link', onclick: () => go(other) }, other)])) : null)) : null);
}

const row = (name, value) => [el('dt', {}, name), el('dd', {}, value)];

// Words between backticks are code.
const marked = (text) => text.split('`').map((part, i) => (i % 2 ? el('code', {}, part) : part));
