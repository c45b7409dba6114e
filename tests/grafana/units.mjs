// Reads identifiers of units from standard input; writes those that Grafana does not know.

import { readFileSync } from 'node:fs';

import { data } from './grafana.mjs';

const known = new Set(data.getValueFormats().flatMap(({ submenu }) => submenu.map(({ value }) => value)));
process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).filter((unit) => !known.has(unit))));
