// The two kinds of lines on a child's pipes: messages, which anybody may have written, and what the job printed, which
// may be without end.

import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { readJsonLines, toJsonLine } from '../../src/actors/isolation/jsonLines.ts';
import { OutputLines, OutputReader } from '../../src/actors/isolation/outputLines.ts';

test('messages are taken line by line, however they come; what is no JSON is passed over', async () => {
  const pipe = new PassThrough();
  const taken: unknown[] = [];
  readJsonLines(pipe, (message) => taken.push(message));
  for (const part of ['{"a":', '1}\n{"b"', ':2}\n', 'no json\n[3]\n{"open":']) pipe.write(part);
  await setImmediate();
  expect(taken).toEqual([{ a: 1 }, { b: 2 }, [3]]);
});

test('a message is one line, whatever it holds; an empty line is none', async () => {
  const pipe = new PassThrough();
  const taken: unknown[] = [];
  readJsonLines(pipe, (message) => taken.push(message));
  const message = { text: 'two\nlines' };
  expect(toJsonLine(message)).toBe('{"text":"two\\nlines"}\n');
  for (const part of ['\n', `\n\n${toJsonLine(message)}`, toJsonLine(message)]) pipe.write(part);
  await setImmediate();
  expect(taken).toEqual([message, message]);
});

test('a pipe that breaks has nothing left to say, and brings nobody down', async () => {
  const [messages, output] = [new PassThrough(), new PassThrough()];
  readJsonLines(messages, () => expect.unreachable());
  new OutputReader(output).begin(() => expect.unreachable());
  for (const pipe of [messages, output]) pipe.destroy(new Error('broken'));
  await setImmediate();
  expect([messages.errored, output.errored]).toEqual([new Error('broken'), new Error('broken')]);
});

test('a line without end closes its pipe before it fills the memory', async () => {
  const pipe = new PassThrough();
  readJsonLines(pipe, () => expect.unreachable());
  // The same bytes again and again: what is kept of them is kept once.
  const bytes = Buffer.alloc(2 ** 20, 'x');
  for (let mebibytes = 0; mebibytes < 256; mebibytes += 1) {
    pipe.write(bytes);
    await setImmediate();
  }
  expect(pipe.destroyed).toBe(false);
  pipe.write('x');
  await setImmediate();
  expect(pipe.destroyed).toBe(true);
});

test('output is cut at 8 KiB a line and 1 MiB in all, and says so once', () => {
  const lines: string[] = [];
  const output = new OutputLines((line) => lines.push(line));
  expect(output.write(`first\n${'x'.repeat(10_000)}`)).toBe(true);
  output.end();
  expect(lines).toEqual(['first', 'x'.repeat(8192)]);
  expect(output.write(`kept\n${'y'.repeat(2 ** 20)}`)).toBe(false);
  expect(output.write('more\n')).toBe(false);
  output.end();
  expect(lines.slice(2)).toEqual(['kept', 'y'.repeat(8192), 'output beyond 1048576 bytes is dropped']);
});

test('a line that comes in parts is cut as one', () => {
  const lines: string[] = [];
  const output = new OutputLines((line) => lines.push(line));
  for (const part of ['x'.repeat(8000), 'y'.repeat(8000), 'z\n', '\n', 'next']) output.write(part);
  output.end();
  output.end();
  expect(lines).toEqual([`${'x'.repeat(8000)}${'y'.repeat(192)}`, '', 'next']);
});

test.each([
  ['of text', 'x'.repeat(2 ** 20 - 1), 'x'],
  // 101 bytes each.
  ['of lines that are empty', '\n'.repeat(10_381), '\n'],
])('the bound %s is met by the last of them', (_, most, last) => {
  const told: string[] = [];
  const output = new OutputLines((line) => {
    if (line !== '' && !line.startsWith('x')) told.push(line);
  });
  expect(output.write(most)).toBe(true);
  expect(told).toEqual([]);
  for (const more of [last, 'x']) expect(output.write(more)).toBe(false);
  expect(told).toEqual(['output beyond 1048576 bytes is dropped']);
});

test('a character that comes in two parts is one', async () => {
  const stream = new PassThrough();
  const lines: string[] = [];
  new OutputReader(stream).begin((line) => lines.push(line));
  const bytes = Buffer.from('€\n');
  for (const part of [bytes.subarray(0, 1), bytes.subarray(1)]) {
    stream.write(part);
    await setImmediate();
  }
  expect(lines).toEqual(['€']);
});

test('the output of each attempt goes to its own log; between them nobody hears it', async () => {
  const stream = new PassThrough();
  const reader = new OutputReader(stream);
  const logs: string[][] = [[], []];
  stream.write('early\n');
  await setImmediate();
  for (const log of logs) {
    reader.begin((line) => log.push(line));
    await setImmediate();
    stream.write('one\nopen');
    await setImmediate();
  }
  // Its bound met, the rest is read and dropped.
  stream.write(`\n${'x'.repeat(2 ** 20)}`);
  await setImmediate();
  stream.end('\nlost');
  await setImmediate();
  expect(logs[0]).toEqual(['early', 'one', 'open']);
  expect(logs[1]?.slice(0, 2)).toEqual(['one', 'open']);
  expect(logs[1]?.at(-1)).toBe('output beyond 1048576 bytes is dropped');
});

test('a line that an ended stream left open is logged', async () => {
  const stream = new PassThrough();
  const lines: string[] = [];
  new OutputReader(stream).begin((line) => lines.push(line));
  stream.end('last words');
  await setImmediate();
  expect(lines).toEqual(['last words']);
});
