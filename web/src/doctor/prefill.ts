/** What the record says for fields of a referral: taken over into empty fields only, and back out as long as nobody has changed it. */

import type { ReferralForm, ReferralPrefill } from '../api/types';

export type Field = keyof ReferralPrefill;
/** What was taken over. */
export type Taken = Partial<ReferralPrefill>;

const FIELDS: readonly Field[] = ['impression', 'presentIllness', 'pastHistory', 'course'];

/** What was found for the fields in which nothing is written. */
export function forEmpty(written: Partial<ReferralForm>, found: ReferralPrefill): Taken {
  const empty = FIELDS.filter((field) => !written[field]?.trim() && found[field].text !== '');
  return Object.fromEntries(empty.map((field) => [field, found[field]]));
}

/** The fields that still hold exactly what was taken over. */
export function untouched(written: Partial<ReferralForm>, taken: Taken): Field[] {
  return FIELDS.filter((field) => taken[field] !== undefined && written[field] === taken[field].text);
}

/** What was taken over, but for these fields. */
export const without = (taken: Taken, fields: Field[]): Taken =>
  Object.fromEntries(Object.entries(taken).filter(([field]) => !fields.includes(field as Field)));
