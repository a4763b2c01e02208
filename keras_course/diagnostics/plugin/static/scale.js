// From a value to a colour: cividis for sizes and shares, blue to orange for what has a sign. Both are readable with
// any kind of colour vision, and cividis in grey too.

const CIVIDIS = ['#00224e', '#123570', '#3b496c', '#575d6d', '#707173', '#8a8678', '#a59c74', '#c3b369', '#e1cc55',
  '#fee838'];
const SIGNED = ['#0b4f8a', '#3f87bd', '#92c1de', '#e9ecef', '#f5b97f', '#d97a25', '#8f4407'];
export const ZERO = '#8e8ea8'; // of an exact 0, which has no logarithm

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

function between(palette, share) {
  const at = Math.min(Math.max(share, 0), 1) * (palette.length - 1);
  const i = Math.min(Math.floor(at), palette.length - 2);
  const [a, b] = [rgb(palette[i]), rgb(palette[i + 1])];
  return `rgb(${a.map((v, j) => Math.round(v + (at - i) * (b[j] - v))).join(',')})`;
}

export const QUANTITIES = {
  gradient_norm: ['Gradient norm', 'log', 'Norm of the loss’s gradient by the layer’s weights.'],
  weight_norm: ['Weight norm', 'log', 'Norm of the layer’s weights before the step.'],
  update_ratio: ['Update ratio', 'log', 'Norm of what the step changed, over the norm of the weights. 0: does not learn.'],
  activation_mean: ['Activation mean', 'signed', 'Mean of what leaves the layer.'],
  activation_spread: ['Activation spread', 'log', 'Standard deviation of what leaves the layer.'],
  activation_gradient: ['Activation gradient', 'log',
    'Root mean square of the loss’s gradient by what leaves the layer: a constant factor per layer vanishes or explodes.'],
  dead_share: ['Dead share', 'share', 'Share of ReLU units that are 0 for every example of the batch.'],
  saturated_share: ['Saturated share', 'share', 'Share of sigmoid or tanh units that are flat on 95 % of the batch.'],
};

// {kind, low, high, colour(value), zeros}: `low` and `high` are the ends of the legend.
export function scale(quantity, values) {
  const kind = QUANTITIES[quantity][1];
  const finite = values.filter(Number.isFinite);
  if (kind === 'share') return { kind, low: 0, high: 1, zeros: false, colour: (v) => between(CIVIDIS, v) };
  if (kind === 'signed') {
    const end = Math.max(...finite.map(Math.abs), 1e-30);
    return { kind, low: -end, high: end, zeros: false, colour: (v) => between(SIGNED, (v / end + 1) / 2) };
  }
  const positive = finite.filter((v) => v > 0);
  let [low, high] = positive.length ? [Math.min(...positive), Math.max(...positive)] : [0.1, 1];
  // A tenfold range at least, so that small wiggles do not look like a change.
  const stretch = Math.sqrt(Math.max(1, 10 / (high / low)));
  [low, high] = [low / stretch, high * stretch];
  const colour = (v) => (v === 0 ? ZERO : between(CIVIDIS, Math.log(v / low) / Math.log(high / low)));
  return { kind, low, high, zeros: finite.includes(0), colour };
}

export function gradient(kind) {
  return `linear-gradient(to right, ${(kind === 'signed' ? SIGNED : CIVIDIS).join(', ')})`;
}
