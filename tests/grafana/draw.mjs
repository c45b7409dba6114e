// Reads {dashboard, url, moments, variables} from standard input; writes what each panel shows at each moment.

import { readFileSync } from 'node:fs';

import { data } from './grafana.mjs';
import { interpolator, panelsOf, shown, transformed } from './panels.mjs';
import { ask, stepOf } from './prometheus.mjs';

const { dashboard, url, moments, variables } = JSON.parse(readFileSync(0, 'utf8'));
const panels = panelsOf(JSON.parse(readFileSync(dashboard, 'utf8')));

async function draw(panel, range) {
  const replaceVariables = interpolator(variables, range);
  const step = stepOf(panel, range, data.rangeUtil);
  const frames = await Promise.all(panel.targets.map((target) => ask(url, target, { ...range, step })));
  return shown(panel, await transformed(panel, frames.flat(), replaceVariables), replaceVariables);
}

const drawn = {};
for (const [moment, [from, to]] of Object.entries(moments)) {
  drawn[moment] = {};
  for (const panel of panels) {
    drawn[moment][panel.id] = await draw(panel, { from, to });
  }
}
process.stdout.write(JSON.stringify(drawn, (_, value) => (Number.isNaN(value) ? 'NaN' : value)));
