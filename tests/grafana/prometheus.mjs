// What Grafana's server makes of a target and of Prometheus' answer, in the words of its source (pkg/promlib).

const LONGEST_ANSWER = 11_000; // points; Prometheus refuses more

/** The frames of one target, one for each series, or an empty one: as the server sends them to the browser. */
export async function ask(url, target, { from, to, step }) {
  const expr = target.expr.replaceAll('$__range', `${Math.round(to - from)}s`);
  const asked = target.range
    ? ['query_range', { query: expr, start: aligned(from, step), end: aligned(to, step), step }]
    : ['query', { query: expr, time: to }];
  const { resultType, result } = await answer(url, ...asked);
  const frames = result.map((series) => frame(target, resultType, series, step));
  return frames.length > 0 ? frames : [{ refId: target.refId, meta: {}, fields: [], length: 0 }];
}

/** Seconds between two points: what the panel wants at least, and no more points than it can show. */
export function stepOf({ interval, maxDataPoints }, { from, to }, rangeUtil) {
  const lowLimit = interval ?? '15s';
  const wanted = rangeUtil.calculateInterval({ from: from * 1000, to: to * 1000 }, maxDataPoints ?? LONGEST_ANSWER, lowLimit);
  return wanted.intervalMs / 1000;
}

async function answer(url, path, parameters) {
  const reply = await (await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`)).json();
  if (reply.status !== 'success') {
    throw new Error(`${reply.error}: ${parameters.query}`);
  }
  return reply.data;
}

function aligned(time, step) {
  return Math.floor(time / step) * step;
}

function frame(target, resultType, { metric, value, values }, step) {
  const points = values ?? [value];
  const name = legend(target, metric);
  return {
    refId: target.refId,
    name,
    meta: { type: 'timeseries-multi', custom: { resultType } },
    fields: [
      { name: 'Time', type: 'time', config: { interval: step * 1000 }, values: points.map(([time]) => time * 1000) },
      {
        name: 'Value',
        type: 'number',
        labels: metric,
        config: name ? { displayNameFromDS: name } : {},
        values: points.map(([, text]) => Number(text.replace('Inf', 'Infinity'))),
      },
    ],
    length: points.length,
  };
}

function legend({ expr, legendFormat }, { __name__: metric = '', ...labels }) {
  if (legendFormat === '__auto') {
    return Object.keys(labels).length > 0 || metric ? '' : expr;
  }
  return legendFormat.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? '');
}
