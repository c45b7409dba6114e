// Grafana's own code in Node: what it takes for granted in a browser, and its registries filled.

import { createRequire } from 'node:module';
import Module from 'node:module';

const require = createRequire(import.meta.url);

const { JSDOM } = require('jsdom');
const { window } = new JSDOM('', { url: 'http://127.0.0.1/' });
for (const name of ['window', 'document', 'localStorage', 'navigator', 'HTMLElement', 'Element', 'Node', 'SVGElement']) {
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true });
}
globalThis.IntersectionObserver = class {};

// The parts of Grafana that draw and that speak to its server are not asked: naming them is enough.
const absent = new Set(['@grafana/e2e-selectors', '@grafana/runtime', '@grafana/ui', 'react-router-dom']);
const nothing = new Proxy(class {}, {
  get: (target, key) => (key === 'prototype' ? target.prototype : key === Symbol.toPrimitive ? () => '' : nothing),
  apply: () => nothing,
});
const load = Module._load;
Module._load = (request, ...rest) => (absent.has(request) ? nothing : load(request, ...rest));

export const data = require('@grafana/data');
export const scenes = require('@grafana/scenes');
export const { transformV2 } = require('./node_modules/@grafana/prometheus/dist/cjs/result_transformer.cjs');
export const { lastValueFrom } = require('rxjs');
export const theme = data.createTheme();

data.standardTransformersRegistry.setInit(() =>
  [...new Map(Object.values(data.standardTransformers).map((each) => [each.id, each])).values()].map((each) => ({
    ...each,
    transformation: async () => each,
  }))
);

// What Grafana lets a dashboard say about a field, and the functions that read it. The list itself is in no package.
const properties = {
  unit: data.unitOverrideProcessor,
  decimals: data.numberOverrideProcessor,
  min: data.numberOverrideProcessor,
  max: data.numberOverrideProcessor,
  displayName: data.displayNameOverrideProcessor,
  noValue: data.stringOverrideProcessor,
  color: data.identityOverrideProcessor,
  thresholds: data.thresholdsOverrideProcessor,
  mappings: data.valueMappingsOverrideProcessor,
  links: data.dataLinksOverrideProcessor,
  'custom.cellOptions': data.identityOverrideProcessor,
};

data.standardFieldConfigEditorRegistry.setInit(() =>
  Object.entries(properties).map(([id, process]) => ({
    id,
    path: id.replace('custom.', ''),
    name: id,
    isCustom: id.startsWith('custom.'),
    process,
    shouldApply: () => true,
    editor: nothing,
    override: nothing,
  }))
);
