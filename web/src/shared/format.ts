/** Values as people read them. Times are Beijing time whatever the computer is set to. */

import { T } from './texts';

const ZONE = 'Asia/Shanghai';
/** China has had one offset without summer time since 1991; dates that are chosen in a form are of today or later. */
const OFFSET = '+08:00';

const dateTimeFormat = new Intl.DateTimeFormat('sv-SE', {
  timeZone: ZONE, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit',
});
const dateFormat = new Intl.DateTimeFormat('sv-SE', { timeZone: ZONE, year: 'numeric', month: '2-digit', day: '2-digit' });

/** The name of a patient; of one who is known by a number alone, that it is not known. */
export const named = (name: string) => name || T.nameUnknown;

/** `2026-11-02 14:05`, Beijing time. */
export function dateTime(iso: string | null): string {
  return iso === null ? T.none : dateTimeFormat.format(new Date(iso));
}

/** `2026-11-02`, Beijing time. A date without a time stays as it is. */
export function date(iso: string | null): string {
  if (iso === null) return T.none;
  return iso.length === 10 ? iso : dateFormat.format(new Date(iso));
}

/** The last day of what ends at this time, which is excluded: what ends at midnight is good until the day before. */
export const lastDay = (end: string) => dateFormat.format(Date.parse(end) - 1);

/** Today in Beijing, as [`date`] writes it. */
export const today = () => dateFormat.format(Date.now());

/** `2026年11月2日` of a day as [`date`] writes it. */
export function longDate(day: string): string {
  const [year, month, dayOfMonth] = day.split('-').map(Number);
  return `${year}年${month}月${dayOfMonth}日`;
}

/** How long ago in words, for what is at most a week old; else the date. */
export function ago(iso: string, now = Date.now()): string {
  const minutes = Math.floor((now - Date.parse(iso)) / 60_000);
  if (minutes < 1) return T.justNow;
  if (minutes < 60) return T.minutesAgo(minutes);
  if (minutes < 24 * 60) return T.hoursAgo(Math.floor(minutes / 60));
  return minutes < 7 * 24 * 60 ? T.daysAgo(Math.floor(minutes / (24 * 60))) : date(iso);
}

/** Age as it is written in a record: days and months for the smallest. */
export function age(birthDate: string | null, now = Date.now()): string {
  if (birthDate === null) return T.ageUnknown;
  const [year = 0, month = 1, day = 1] = birthDate.split('-').map(Number);
  const [thisYear = 0, thisMonth = 1, thisDay = 1] = dateFormat.format(now).split('-').map(Number);
  const months = (thisYear - year) * 12 + thisMonth - month - (thisDay < day ? 1 : 0);
  if (months < 1) return T.days(Math.max(0, Math.floor((now - Date.parse(`${birthDate}T00:00:00${OFFSET}`)) / 86_400_000)));
  return months < 36 ? T.months(months) : T.years(Math.floor(months / 12));
}

/** The last day on which a guardian consents for somebody born then: before the fourteenth birthday (PIPL 31). None if that is past. */
export function childhood(birthDate: string | null, now = Date.now()): string | null {
  const [year, month, day] = (birthDate ?? '').split('-').map(Number);
  if (!year || !month || !day) return null;
  const last = new Date(Date.UTC(year + 14, month - 1, day - 1)).toISOString().slice(0, 10);
  return last < dateFormat.format(now) ? null : last;
}

/** `1.4 MB`. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

export const count = (value: number) => value.toLocaleString('zh-CN');

/** A wall-clock time of a form, `YYYY-MM-DDTHH:mm`, as Beijing time with its offset. */
export const beijing = (wallClock: string) => `${wallClock}:00${OFFSET}`;

/** The name of a code; an unknown code is shown as it is. */
export function nameOf(names: Record<string, string>, code: string): string {
  return names[code] ?? code;
}

/** Names of codes in a row; none means all of them. */
export function namesOf(names: Record<string, string>, codes: string[], all: string): string {
  return codes.length === 0 ? all : codes.map((code) => nameOf(names, code)).join('、');
}
