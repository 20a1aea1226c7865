// State-chart inspectors, with the genuine receivers of `@xstate/inspect` and `@statelyai/inspect`.

import { createRequire } from 'node:module';
import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { defineChunkedJob, defineJob, JobProcessor } from '../../src/index.ts';
import type { Inspector } from '../../src/inspector/inspector.ts';
import { hasBrowser, OpenBrowser } from '../support/browser.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';
import { wait } from '../support/spawnedHost.ts';

/** With an XState 4 of its own. */
const xstate4 = createRequire(new URL('../xstate4/package.json', import.meta.url))(
  '@xstate/inspect',
) as XState4Inspect;

interface XState4Inspect {
  createWebSocketReceiver(options: { server: string }): {
    send(event: object): void;
    subscribe(next: (event: XState4Event) => void): void;
  };
}

interface XState4Event {
  type: string;
  sessionId: string;
  id?: string;
  parent?: string;
  machine?: { id: string; states: Record<string, unknown>; initial: string };
  state?: {
    value: unknown;
    context: Record<string, unknown>;
    done: boolean;
    matches(value: string): boolean;
  };
  event?: { name: string; data: { type: string } };
}

const jobs = {
  steps: defineChunkedJob({
    start: 0,
    async *chunks(_: { password: string }, { checkpoint }) {
      for (let n = checkpoint; n < 3; n += 1) yield [n];
    },
    process: ([n = 0]) => n + 1,
    result: (_: number, input: { password: string }) => ({ password: input.password, done: 'yes' }),
  }),
  tricky: defineJob({ run: (_: null) => ({ result: 'no JSON' }) }),
  hold: defineJob({
    run: (_: null, { signal }) =>
      new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  }),
};
let processor: JobProcessor<typeof jobs>;
let inspector: Inspector;
let log: CapturedLog;
beforeEach(async () => {
  log = capturedLog();
  processor = await new JobProcessor({
    engine: 'memory',
    jobs,
    logger: log.logger,
    maxConcurrentJobs: 100,
  }).start();
  inspector = await processor.inspect({
    stately: true,
    redact: ['password'],
    allowedOrigins: ['https://charts.example'],
  });
});
afterEach(async () => {
  await inspector.close();
  await processor.stop();
});
const address = () => new URL(inspector.url as string).host;

async function untilTrue(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await wait(5);
}

function xstate4Receiver(): XState4Event[] {
  const events: XState4Event[] = [];
  xstate4.createWebSocketReceiver({ server: `${address()}/xstate` }).subscribe((event) => events.push(event));
  return events;
}

function statelyReceiver(): StatelyInspectionEvent[] {
  const events: StatelyInspectionEvent[] = [];
  createWebSocketReceiver({ server: `ws://${address()}/stately` }).subscribe((event) => events.push(event));
  return events;
}

test('the receiver of @xstate/inspect sees a job registered under its supervisor, its events, its states, its end', async () => {
  const events = xstate4Receiver();
  await untilTrue(() => events.length > 0);
  const supervisor = events[0] as XState4Event;
  expect(supervisor).toMatchObject({ type: 'service.register', id: 'supervisor' });
  expect(supervisor.machine?.id).toBe('supervisor');
  const job = await processor.submit('steps', { password: 'hunter2' });
  await job.result();
  const registered = () => events.find(({ id }) => id?.includes(job.id));
  const ofJob = () => events.filter(({ sessionId }) => sessionId === registered()?.sessionId);
  await untilTrue(() => ofJob().some(({ type }) => type === 'service.stop'));
  expect(registered()?.parent).toBe(supervisor.sessionId);
  // A machine of XState 4, made from ours: it knows our states.
  expect(Object.keys(registered()?.machine?.states ?? {})).toContain('stopping');
  const told = ofJob().map(({ type, event, state }) =>
    type === 'service.event'
      ? event?.data.type
      : type === 'service.state'
        ? JSON.stringify(state?.value)
        : type,
  );
  expect(told.filter((what) => what === 'chunk.completed')).toHaveLength(3);
  const milestones = [
    'service.register',
    'attempt.ended',
    '{"running":"settling"}',
    'verdict.stored',
    '"completed"',
    'service.stop',
  ];
  expect(told.filter((what) => milestones.includes(what as string))).toEqual(milestones);
  const last = ofJob().findLast(({ type }) => type === 'service.state')?.state;
  expect(last).toMatchObject({ value: 'completed', done: true });
  expect(last?.matches('completed')).toBe(true);
  const all = JSON.stringify(events.map(({ machine: _, ...event }) => event));
  expect(all).toContain('[REDACTED]');
  expect(all).not.toContain('hunter2');
});

test('the receiver of @statelyai/inspect sees supervisor, job and chunk processor, one under the other, in order', async () => {
  const events = statelyReceiver();
  await untilTrue(() => events.length > 0);
  const job = await processor.submit('steps', { password: 'hunter2' });
  await job.result();
  const actors = () => events.filter((event) => event.type === '@xstate.actor');
  const jobActor = () => actors().find(({ name }) => name.includes(job.id));
  const statesOf = (sessionId: string | undefined) =>
    events
      .filter((event) => event.type === '@xstate.snapshot' && event.sessionId === sessionId)
      .map((event) => (event as { snapshot: { value?: unknown; status: string } }).snapshot);
  await untilTrue(() => statesOf(jobActor()?.sessionId).some(({ status }) => status === 'done'));
  const supervisor = actors().find(({ name }) => name === 'supervisor');
  expect(supervisor?.parentId).toBeUndefined();
  expect(jobActor()?.parentId).toBe(supervisor?.sessionId);
  expect(jobActor()?.rootId).toBe(supervisor?.sessionId);
  expect(JSON.parse(jobActor()?.definition ?? '').states).toHaveProperty('stopping');
  const chunks = actors().find(
    ({ parentId, name }) => parentId === jobActor()?.sessionId && name === 'processChunks',
  );
  expect(chunks?.rootId).toBe(supervisor?.sessionId);
  const indexOf = (event: StatelyInspectionEvent | undefined) =>
    events.indexOf(event as StatelyInspectionEvent);
  expect(indexOf(jobActor())).toBeLessThan(indexOf(chunks));
  expect(statesOf(jobActor()?.sessionId).at(-1)).toMatchObject({ value: 'completed', status: 'done' });
  const completed = events.find(
    (event) => event.type === '@xstate.event' && event.event.type === 'chunk.completed',
  );
  expect(completed).toMatchObject({ sessionId: jobActor()?.sessionId, sourceId: chunks?.sessionId });
  expect(JSON.stringify(events)).not.toContain('hunter2');
});

test('who comes later is told what lives already; all at rest again when the last has gone', async () => {
  const job = await processor.submit('hold', null);
  await untilTrue(() => processor.activeJobs.has(job.id));
  const [first, second] = [xstate4Receiver(), statelyReceiver()];
  await untilTrue(() => first.some(({ id }) => id?.includes(job.id)));
  await untilTrue(() =>
    second.some((event) => event.type === '@xstate.actor' && event.name.includes(job.id)),
  );
  expect(first.find(({ id }) => id?.includes(job.id))?.state?.value).toEqual({ running: 'processing' });
  await job.cancel();
  await untilTrue(() => first.some(({ state }) => state?.value === 'cancelled'));
});

/** What becomes of a connection that says these words. */
async function connection(
  path: string,
  { says, headers = {}, at = address() }: { says?: string | Buffer; headers?: object; at?: string } = {},
) {
  const client = new WebSocket(`ws://${at}${path}`, { headers: headers as Record<string, string> });
  let isOpen = false;
  client.on('open', () => {
    isOpen = true;
    if (says !== undefined) client.send(says);
  });
  client.on('error', () => {});
  const code = await new Promise<number | null>((resolve) => {
    client.on('close', (closed) => resolve(closed));
    client.on('message', () => resolve(null));
  });
  client.terminate();
  return { isOpen, code };
}

test.each([
  ['a foreign page', { origin: 'http://evil.example' }],
  ['a name that was pointed here', { host: 'rebound.example' }],
  ['a page in a sandbox', { origin: 'null' }],
])('%s gets no WebSocket', async (_, headers) => {
  for (const path of ['/xstate', '/stately'])
    expect(await connection(path, { headers })).toEqual({ isOpen: false, code: 1006 });
});

test('a page of an origin that was named gets one', async () => {
  const headers = { origin: 'https://charts.example' };
  expect(await connection('/stately', { headers })).toEqual({ isOpen: true, code: null });
});

test.each([
  ['no JSON', '/xstate', '{"type":', 1008],
  ['another word', '/xstate', '{"type":"service.state"}', 1008],
  ['an act', '/xstate', '{"type":"xstate.event","event":"{}","service":"x:1"}', 1008],
  ['no text', '/xstate', Buffer.from('{"type":"xstate.inspecting"}'), 1008],
  ['too much', '/xstate', `{"type":"xstate.inspecting","more":"${'x'.repeat(10_000_000)}"}`, 1009],
])('who says %s loses its own connection, and nothing else', async (_, path, says, code) => {
  const events = xstate4Receiver();
  await untilTrue(() => events.length > 0);
  expect(await connection(path, { says })).toEqual({ isOpen: true, code });
  const job = await processor.submit('steps', { password: '' });
  await untilTrue(() => events.some(({ id }) => id?.includes(job.id)));
  await job.result();
});

test('a reader that does not read is cut off, and holds up no job', async () => {
  const client = new WebSocket(`ws://${address()}/xstate`);
  client.on('error', () => {});
  client.on('open', () => {
    client.send('{"type":"xstate.inspecting"}');
    client.pause();
  });
  // What it does not read fills the buffers of the system, and then the one that is kept for it.
  const isCutOff = () => log.lines.some((line) => line.includes('did not read what it was sent was cut off'));
  for (let jobsDone = 0; !isCutOff(); jobsDone += 1) {
    await (await processor.submit('steps', { password: '' })).result();
    // The jobs alone would not let it turn.
    if (jobsDone % 20 === 0) await new Promise(setImmediate);
    expect(jobsDone).toBeLessThan(20_000);
  }
  client.terminate();
}, 30_000);

test('a thousand jobs at once: those that are shown are shown whole, the others run unseen', async () => {
  const events = xstate4Receiver();
  await untilTrue(() => events.length > 0);
  const all = await processor.submitMany('steps', Array<{ password: string }>(1000).fill({ password: '' }));
  await Promise.all(all.map((job) => job.result()));
  const of = (wanted: string) => events.filter(({ type }) => type === wanted);
  const shown = () => of('service.register').filter(({ id }) => id?.startsWith('steps'));
  await untilTrue(() => {
    const stopped = new Set(of('service.stop').map(({ sessionId }) => sessionId));
    return shown().length >= 50 && shown().every(({ sessionId }) => stopped.has(sessionId));
  });
  expect(shown().length).toBeLessThan(1000);
});

test('a job whose result has a text named result is told to its end, as any other', async () => {
  const events = xstate4Receiver();
  await untilTrue(() => events.length > 0);
  const job = await processor.submit('tricky', null);
  await job.result();
  const registered = () => events.find(({ id }) => id?.includes(job.id));
  await untilTrue(() =>
    events.some(({ type, sessionId }) => type === 'service.stop' && sessionId === registered()?.sessionId),
  );
  expect(log.lines.filter((line) => line.startsWith('ERROR'))).toEqual([]);
});

test('nothing is said of an actor before it is registered', async () => {
  const events = statelyReceiver();
  await untilTrue(() => events.length > 0);
  for (let n = 0; n < 10; n += 1) await (await processor.submit('steps', { password: '' })).result();
  await untilTrue(() =>
    events.some((event) => event.type === '@xstate.event' && event.event.type === 'verdict.stored'),
  );
  const known = new Set<string | undefined>([undefined]);
  for (const event of events) {
    if (event.type === '@xstate.actor') known.add(event.sessionId);
    expect(known).toContain(event.sessionId);
    if (event.type === '@xstate.event') expect(known).toContain(event.sourceId);
  }
  expect(log.lines.filter((line) => line.startsWith('ERROR'))).toEqual([]);
});

test('whoever looks is shown what lives, however many that are, and whoever looks again too', async () => {
  await processor.submitMany('hold', Array<null>(60).fill(null));
  await untilTrue(() => processor.activeJobs.size === 60);
  for (const _ of [1, 2]) {
    const receiver = new WebSocket(`ws://${address()}/xstate`);
    let jobsShown = 0;
    receiver.on('open', () => receiver.send('{"type":"xstate.inspecting"}'));
    receiver.on('message', (data) => {
      if (JSON.parse(String(data)).id?.startsWith('hold')) jobsShown += 1;
    });
    await untilTrue(() => jobsShown === 60);
    receiver.terminate();
    await wait(20);
  }
});

test('a path that speaks nothing is answered so', async () => {
  expect(await connection('/events')).toEqual({ isOpen: false, code: 1006 });
});

describe.skipIf(!hasBrowser)('the page with the Stately Inspector in it', () => {
  test('hands it what our actors do, as soon as it says that it is there', async () => {
    await using browser = await OpenBrowser.launch();
    const page = await browser.page();
    // In the place of stately.ai's page, which this machine does not reach: it greets as the genuine receiver does.
    await page.route('https://stately.ai/inspect', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<p id="told"></p><script>
          addEventListener('message', ({ data }) => { told.textContent += data.type + ' ' + (data.name ?? '') + ' '; });
          setTimeout(() => parent.postMessage({ type: '@statelyai.connected' }, '*'), 300);
        </script>`,
      }),
    );
    await page.goto(`${inspector.url}stately.html`);
    await page.getByText('connected', { exact: true }).waitFor();
    const job = await processor.submit('hold', null);
    const told = page.frameLocator('iframe').locator('#told');
    await told.filter({ hasText: '@xstate.actor supervisor' }).filter({ hasText: job.id }).waitFor();
    expect(browser.errors).toEqual([]);
  });

  test('is not there unless it was asked for', async () => {
    await using plain = await processor.inspect();
    for (const path of ['stately.html', 'stately.js'])
      expect((await fetch(new URL(path, plain.url as string))).status).toBe(404);
    expect(await connection(`/stately`, { at: new URL(plain.url as string).host })).toEqual({
      isOpen: false,
      code: 1006,
    });
  });
});
