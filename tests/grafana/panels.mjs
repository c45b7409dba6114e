// A panel as Grafana takes it from a dashboard, and what it shows: transformed, named, formatted, coloured, linked.

import { data, lastValueFrom, scenes, theme, transformV2 } from './grafana.mjs';

/** The panels of a dashboard in one shape, whether it is a classic one or a resource with tabs. */
export function panelsOf(dashboard) {
  return dashboard.spec ? Object.values(dashboard.spec.elements).map(fromElement) : dashboard.panels.filter(isPanel);
}

function isPanel({ type }) {
  return type !== 'row';
}

function fromElement({ spec: { data: group, vizConfig, ...panel } }) {
  const { queries, transformations, queryOptions } = group.spec;
  return {
    ...panel,
    ...queryOptions,
    ...vizConfig.spec,
    type: vizConfig.group,
    targets: queries.map(({ spec: { refId, query } }) => ({ refId, ...query.spec })),
    transformations: transformations.map(({ group: id, spec }) => ({ id, ...spec })),
  };
}

/** How Grafana replaces variables: those of the dashboard, of its time range and of the field that is clicked. */
export function interpolator(variables, { from, to }) {
  const scene = new scenes.EmbeddedScene({
    $timeRange: new scenes.SceneTimeRange({ from: time(from), to: time(to) }),
    $variables: new scenes.SceneVariableSet({
      variables: Object.entries(variables).map(([name, value]) => new scenes.ConstantVariable({ name, value })),
    }),
    body: new scenes.SceneReactObject({}),
  });
  return (...asked) => scenes.sceneGraph.interpolate(scene, ...asked);
}

function time(seconds) {
  return new Date(seconds * 1000).toISOString();
}

/** Frames as they reach the panel: first through its data source, then through its transformations. */
export async function transformed(panel, frames, replaceVariables) {
  const answer = transformV2({ data: frames }, { targets: panel.targets, app: 'dashboard' }, {});
  const context = { interpolate: replaceVariables };
  return lastValueFrom(data.transformDataFrame(panel.transformations ?? [], answer.data, context));
}

/** What the panel shows of *frames*. */
export function shown(panel, frames, replaceVariables) {
  const drawn = data.applyFieldOverrides({ data: frames, fieldConfig: panel.fieldConfig, replaceVariables, theme });
  return {
    frames: drawn.map((frame) => ({
      refId: frame.refId,
      length: frame.length,
      fields: frame.fields.map((field) => fieldShown(field, frame, drawn)),
    })),
    figures: panel.options?.reduceOptions ? figures(panel, drawn, replaceVariables) : [],
    rows: panel.type === 'heatmap' ? rows(drawn) : [],
    menu: (panel.links ?? []).map((link) => followed(link, replaceVariables)),
  };
}

function fieldShown(field, frame, frames) {
  const cells = field.values.map((value) => field.display(value));
  return {
    name: field.name,
    title: data.getFieldDisplayName(field, frame, frames),
    type: field.type,
    labels: field.labels ?? {},
    values: field.values,
    texts: cells.map(data.formattedValueToString),
    colors: cells.map(({ color }) => named(color)),
    links: field.values.map((_, valueRowIndex) => field.getLinks({ valueRowIndex }).map(({ title, href }) => ({ title, href }))),
  };
}

function figures(panel, frames, replaceVariables) {
  const { fieldConfig, options } = panel;
  return data
    .getFieldDisplayValues({ data: frames, fieldConfig, reduceOptions: options.reduceOptions, replaceVariables, theme })
    .map(({ display }) => ({
      title: display.title ?? '',
      text: data.formattedValueToString(display),
      color: named(display.color),
      numeric: display.numeric,
    }));
}

/** A heatmap joins its frames by their time, and takes each of the others for a row. */
function rows(frames) {
  const joined = data.outerJoinDataFrames({ frames: frames.filter(({ length }) => length > 0) });
  const [, ...series] = joined?.fields ?? [];
  return series.map((field) => ({ title: data.getFieldDisplayName(field, joined, frames), values: field.values }));
}

function followed({ title, url }, replaceVariables) {
  return { title, href: data.locationUtil.processUrl(replaceVariables(data.locationUtil.assureBaseUrl(url))) };
}

const names = new Map(['green', 'yellow', 'red', 'text'].map((name) => [hex(theme.visualization.getColorByName(name)), name]));

/** The name that a dashboard gives a colour, where it has one. */
function named(color) {
  return names.get(hex(color)) ?? color;
}

function hex(color) {
  return data.colorManipulator.asHexString(color).toLowerCase();
}
