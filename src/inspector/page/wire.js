// How the page reads and acts: GET, and POST with the token that it was opened with.

/** @import { ActAnswers, Answers } from '../answers.ts' */

const tokenKey = 'unstuck.token';

/** The address that is printed brings it, where the page was open already too. It does not stay there. */
function takeToken() {
  const token = /^#token=([\w.~-]+)$/.exec(location.hash)?.[1];
  if (token !== undefined) sessionStorage.setItem(tokenKey, token);
  if (location.hash.startsWith('#token=')) history.replaceState(null, '', location.pathname);
}
takeToken();
addEventListener('hashchange', takeToken);

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
