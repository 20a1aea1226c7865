// Hands what our actors do to the Stately Inspector in the frame, which is a page of stately.ai: this one page needs the
// network. Until that page has said that it is there, what comes is kept.

const inspector = /** @type {HTMLIFrameElement} */ (document.getElementById('inspector'));
const status = /** @type {HTMLElement} */ (document.getElementById('status'));
const { origin } = new URL(inspector.src);
const mostKept = 2000;

/** @type {string[]} */
const kept = [];
let isThere = false;

const hand = (/** @type {string} */ message) =>
  inspector.contentWindow?.postMessage(JSON.parse(message), origin);

addEventListener('message', (event) => {
  if (event.origin !== origin || event.data?.type !== '@statelyai.connected') return;
  isThere = true;
  status.textContent = 'connected';
  for (const message of kept.splice(0)) hand(message);
});

const socket = new WebSocket(new URL('stately', location.href.replace(/^http/, 'ws')));
socket.onmessage = ({ data }) => {
  if (isThere) hand(data);
  else if (kept.length < mostKept) kept.push(data);
};
socket.onclose = () => {
  status.textContent = 'the processor is gone: load this page again';
};
