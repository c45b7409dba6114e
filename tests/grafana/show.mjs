// Reads {dashboard, fields: [{panel, name, labels, values}], range, variables} from standard input; writes how each panel
// shows a field that holds these values.

import { readFileSync } from 'node:fs';

import './grafana.mjs';
import { interpolator, panelsOf, shown } from './panels.mjs';

const { dashboard, fields, range, variables } = JSON.parse(readFileSync(0, 'utf8'));
const panels = new Map(panelsOf(JSON.parse(readFileSync(dashboard, 'utf8'))).map((panel) => [panel.id, panel]));
const replaceVariables = interpolator(variables, range);

function show({ panel, values, ...field }) {
  const frame = { refId: 'A', length: values.length, fields: [{ type: 'number', config: {}, ...field, values }] };
  return shown(panels.get(panel), [frame], replaceVariables);
}

process.stdout.write(JSON.stringify(fields.map(show)));
