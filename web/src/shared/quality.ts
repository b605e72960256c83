/** Scores of quality as people read them. */

import type { QualityAspect, Score } from '../api/types';
import { T } from './texts';

export const ASPECTS: QualityAspect[] = ['completeness', 'validity', 'timeliness', 'consistency'];

/** `99.3` of a score in thousandths. */
export function scoreText(score: Score): string {
  return score === null ? T.none : (score / 10).toFixed(1);
}

/** Below this in thousandths a score is bad, and below the other one not good. */
const BAD = 900;
const GOOD = 980;

export function scoreColor(score: Score): string {
  if (score === null) return 'default';
  return score < BAD ? 'error' : score < GOOD ? 'warning' : 'success';
}

/** `2.5%`; what is there but would be shown as nothing is `<0.1%`. */
export function shareText(part: number, whole: number): string {
  if (whole === 0) return T.none;
  const share = (part * 100) / whole;
  return share > 0 && share < 0.1 ? '<0.1%' : `${share.toFixed(1)}%`;
}
