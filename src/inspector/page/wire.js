// How the page reads and acts: GET, and POST with the token that it was opened with.

/** @import { ActAnswers, Answers } from '../answers.ts' */

const tokenKey = 'unstuck.token';
const fromHash = /^#token=(.+)$/.exec(location.hash)?.[1];
if (fromHash !== undefined) {
  sessionStorage.setItem(tokenKey, decodeURIComponent(fromHash));
  history.replaceState(null, '', location.pathname);
}

/**
 * @template {keyof Answers} P
 * @param {P} path
 * @returns {Promise<Answers[P]>}
 */
export async function read(path) {
  const response = await fetch(path);
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  return body;
}

/**
 * @template {keyof ActAnswers} P
 * @param {P} path
 * @param {{ by: string }} body
 * @returns {Promise<ActAnswers[P]>}
 */
export async function act(path, body) {
  const token = sessionStorage.getItem(tokenKey) ?? '';
  const headers = {
    'content-type': 'application/json',
    ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
  };
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
