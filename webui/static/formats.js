// How times, durations and numbers are written; the server's side of it is webui/formats.py.

const DAY_AND_TIME = new Intl.DateTimeFormat("sv-SE", {
  timeZone: "Asia/Shanghai", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
});
const TIME = new Intl.DateTimeFormat("sv-SE", {
  timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

/** "2026-11-22 09:05" of a Date or of ISO text. */
export const dayAndTime = (at) => DAY_AND_TIME.format(new Date(at)).replace(",", "");
/** "09:05:07" */
export const time = (at) => TIME.format(new Date(at));

/** "03:25" or "1:03:25" of milliseconds. */
export function duration(milliseconds) {
  const all = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${two(minutes)}:${two(seconds)}`;
}

/** The number of the citizen, who called or was called. */
export const citizensNumber = (call) => (call.direction === "out" ? call.called : call.caller);

/** "138****0000": four digits hidden. */
export function masked(number) {
  if (!number || number.includes("*")) return number;
  const shown = Math.max(0, number.length - 4);
  const head = Math.floor(shown / 2);
  return number.slice(0, head) + "****" + (shown ? number.slice(number.length - (shown - head)) : "");
}

/** "+6" or "−2.5" of a gain in dB. */
export const decibels = (gain) => (gain > 0 ? "+" : "") + String(gain).replace("-", "−");
