import { expect, test } from 'vitest';
import { conversionOf } from './labs-trend';

const reported = { value: '48', unit: 'mmol/mol', range: '', times: '0.0914829', plus: '2.15168', source: 'NGSP/IFCC 主方程' };

test('a converted value is shown with what the report says, the factor and its source', () => {
  expect(conversionOf({ reported })).toBe('48 mmol/mol × 0.0914829 + 2.15168（NGSP/IFCC 主方程）');
  expect(conversionOf({ reported: { ...reported, plus: '-23.52' } })).toContain('× 0.0914829 − 23.52');
  expect(conversionOf({ reported: { ...reported, plus: null } })).toContain('× 0.0914829（');
  expect(conversionOf({ reported: null })).toBe('');
});
