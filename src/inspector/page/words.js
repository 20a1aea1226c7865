// Times in words.

export const time = (/** @type {string | number | null} */ at) =>
  at === null ? '' : new Date(at).toLocaleString();
export const ago = (/** @type {number | null} */ at, /** @type {number} */ now) =>
  at === null ? '' : seconds(now - at);

export function seconds(/** @type {number} */ ms) {
  const total = Math.max(0, ms) / 1000;
  if (total < 10) return `${total.toFixed(1)} s`;
  if (total < 90) return `${Math.round(total)} s`;
  if (total < 5400) return `${Math.round(total / 60)} min`;
  return `${(total / 3600).toFixed(1)} h`;
}
