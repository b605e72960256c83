/** The chart of one laboratory item: a line for each hospital with a mark of its own, over the latest reference range. */

import type { Lab, LabPoint } from '../api/types';
import { dateTime } from '../shared/format';

const SYMBOLS = ['circle', 'rect', 'triangle', 'diamond', 'pin', 'arrow'];
const DAY_MS = 86_400_000;
const COLOURS = ['#0b6b72', '#8a4b08', '#5b3f9e', '#23703a', '#9c2450', '#40515a'];

/** How a value was converted, in words: what stood there before, and the factor. */
export function conversionOf({ reported }: Pick<LabPoint, 'reported'>): string {
  if (reported === null) return '';
  const plus = reported.plus === null ? '' : reported.plus.startsWith('-') ? ` − ${reported.plus.slice(1)}` : ` + ${reported.plus}`;
  return `${reported.value} ${reported.unit} × ${reported.times}${plus}（${reported.source}）`;
}

export function trendOf(lab: Lab, nameOf: (holder: string) => string) {
  const holders = [...new Set(lab.points.map((point) => point.holder))];
  const last = lab.points.at(-1);
  return {
    animation: false,
    grid: { left: 56, right: 24, top: 60, bottom: 68 },
    color: COLOURS,
    legend: { type: 'scroll', top: 0, data: holders.map(nameOf) },
    tooltip: { trigger: 'item', formatter: ({ seriesName, value: [at, value] }: { seriesName: string; value: [string, number] }) => `${dateTime(at)}<br>${seriesName}<br><b>${lab.steps[value] ?? value}</b> ${lab.unit}` },
    xAxis: { type: 'time', minInterval: DAY_MS, axisLabel: { hideOverlap: true, formatter: '{yyyy}-{MM}-{dd}' } },
    yAxis: lab.steps.length > 0 ? { type: 'category', data: lab.steps } : { type: 'value', name: lab.unit, scale: true },
    dataZoom: [{ type: 'slider', height: 18, bottom: 16, showDetail: false }],
    series: holders.map((holder, at) => ({
      type: 'line',
      name: nameOf(holder),
      symbol: SYMBOLS[at % SYMBOLS.length],
      symbolSize: 9,
      data: lab.points.filter((point) => point.holder === holder).map((point) => [point.at, point.value]),
      ...(at === 0 && last ? { markArea: rangeOf(last) } : {}),
    })),
  };
}

function rangeOf({ low, high }: LabPoint) {
  if (low === null && high === null) return {};
  const from = low === null ? {} : { yAxis: low };
  const until = high === null ? {} : { yAxis: high };
  return { silent: true, itemStyle: { color: 'rgba(35, 112, 58, 0.09)' }, data: [[from, until]] };
}
