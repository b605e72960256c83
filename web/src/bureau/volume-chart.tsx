/** The chart of a volume: bars by time, stacked by outcome, told apart by pattern as well as by colour. Loaded when it is shown. */

import { useMemo } from 'react';
import type { Volume, VolumeRow } from '../api/types';
import Chart from '../shared/chart';
import { dateTime } from '../shared/format';
import { T as S } from '../shared/texts';
import { seriesOf, type Measure } from './figures';
import { T } from './texts';

const words = T.volume;
const OUTCOMES = ['permitted', 'denied', 'failed'] as const;
const COLOURS = { permitted: '#0b6b72', denied: '#b3261e', failed: '#c98a1b' };

interface Props {
  volume: Volume;
  rows: VolumeRow[];
  measure: Measure;
}

export default function VolumeChart({ volume, rows, measure }: Props) {
  const option = useMemo(() => optionOf(volume, rows, measure), [volume, rows, measure]);
  return <Chart option={option} height={300} label={words.chart(words.measure[measure])} />;
}

function optionOf(volume: Volume, rows: VolumeRow[], measure: Measure) {
  const series = seriesOf(volume, rows, measure);
  const label = (bucket: number) => dateTime(new Date(bucket).toISOString()).slice(5, volume.by === 'day' ? 10 : 16);
  const shown = (value: number | null) => (value !== null && measure === 'bytes' ? value / 1e6 : value);
  return {
    aria: { enabled: true, decal: { show: true } },
    animation: false,
    grid: { left: 64, right: 16, top: 40, bottom: 32 },
    legend: { top: 4 },
    tooltip: { trigger: 'axis', valueFormatter: (value: number | null) => (value === null ? S.none : Math.round(value * 100) / 100) },
    xAxis: { type: 'category', data: series.map(({ bucket }) => label(bucket)), axisLabel: { hideOverlap: true } },
    yAxis: { type: 'value', name: words.measure[measure] },
    series: OUTCOMES.map((outcome) => ({
      type: 'bar', stack: 'all', name: S.outcome[outcome], itemStyle: { color: COLOURS[outcome] }, barMaxWidth: 40, data: series.map((one) => shown(one[outcome])),
    })),
  };
}
