/** A chart in SVG, with only the parts of ECharts that are used here. A module of its own, so that pages load it when it is shown. */

import { BarChart, LineChart } from 'echarts/charts';
import { AriaComponent, DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent, TooltipComponent } from 'echarts/components';
import * as echarts from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { useEffect, useRef } from 'react';

echarts.use([
  BarChart, LineChart, AriaComponent, DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent, TooltipComponent, SVGRenderer,
]);

interface Props {
  option: echarts.EChartsCoreOption;
  /** What a screen reader says instead of the picture. */
  label: string;
  height: number;
}

export default function Chart({ option, label, height }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<echarts.ECharts | null>(null);
  useEffect(() => {
    if (box.current === null) return undefined;
    const made = echarts.init(box.current, null, { renderer: 'svg' });
    chart.current = made;
    const watch = new ResizeObserver(() => made.resize());
    watch.observe(box.current);
    return () => { watch.disconnect(); made.dispose(); };
  }, []);
  useEffect(() => chart.current?.setOption(option, { notMerge: true }), [option]);
  return <div ref={box} role="img" aria-label={label} style={{ height }} />;
}
