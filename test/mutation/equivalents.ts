// Mutants that no test can kill, because what they change nobody can see. Each with its reason; `npm run stryker` says
// so where one of them is killed after all, or is there no more.

export interface Equivalent {
  readonly file: `src/${string}.ts`;
  /** A part of its line: one of these mutators there is enough to be known by. */
  readonly line: string;
  readonly mutator: string;
  readonly reason: string;
}

export const equivalents: readonly Equivalent[] = [
  {
    file: 'src/machines/monitor.ts',
    line: 'types: {',
    mutator: 'ObjectLiteral',
    reason: 'types alone: XState reads nothing of it',
  },
  {
    file: 'src/machines/monitor.ts',
    line: 'actors: { sweep',
    mutator: 'ObjectLiteral',
    reason: 'who starts the chart puts its own in this place',
  },
  {
    file: 'src/machines/monitor.ts',
    line: "id: 'monitor'",
    mutator: 'StringLiteral',
    reason: 'a name for people: nothing in the chart refers to it',
  },
  {
    file: 'src/machines/supervisor.ts',
    line: 'types: {',
    mutator: 'ObjectLiteral',
    reason: 'types alone: XState reads nothing of it',
  },
  {
    file: 'src/machines/supervisor.ts',
    line: 'actors: {',
    mutator: 'ObjectLiteral',
    reason: 'who starts the chart puts its own in this place',
  },
  {
    file: 'src/machines/supervisor.ts',
    line: 'claimJobs: fromPromise',
    mutator: 'ArrowFunction',
    reason: 'who starts the chart puts its own in this place',
  },
  {
    file: 'src/machines/supervisor.ts',
    line: "id: 'supervisor'",
    mutator: 'StringLiteral',
    reason: 'a name for people: nothing in the chart refers to it',
  },
  {
    file: 'src/machines/supervisor.ts',
    line: 'mayHaveWork: false }),',
    mutator: 'BooleanLiteral',
    reason: 'the first claim sets it, and before that no slot is held that could come free',
  },
  {
    file: 'src/machines/job.ts',
    line: 'types: {',
    mutator: 'ObjectLiteral',
    reason: 'types alone: XState reads nothing of it',
  },
  {
    file: 'src/machines/job.ts',
    line: "if (intent === null || intent.kind === 'cancel') return false;",
    mutator: 'ConditionalExpression',
    reason: 'narrows the type: by then there is one',
  },
  {
    file: 'src/machines/job.ts',
    line: 'context.verdict?.state === params.state',
    mutator: 'OptionalChaining',
    reason: 'narrows the type: by then there is one',
  },
  {
    file: 'src/machines/job.ts',
    line: 'isLeaseLost: ({ context }) =>',
    mutator: 'OptionalChaining',
    reason: 'narrows the type: by then there is one',
  },
  {
    file: 'src/machines/job.ts',
    line: "context.intent?.kind !== 'cancel' &&",
    mutator: 'OptionalChaining',
    reason: 'narrows the type: by then there is one',
  },
  {
    file: 'src/machines/job.ts',
    line: "event.type === 'wallClock.read' && event.at >= context.deadlineAt",
    mutator: 'ConditionalExpression',
    reason: 'narrows the type: it stands on this event alone',
  },
  {
    file: 'src/machines/job.ts',
    line: 'isKilledByWatchdog: ({ event }) =>',
    mutator: 'ConditionalExpression',
    reason: 'narrows the type: it stands on this event alone',
  },
  {
    file: 'src/machines/job.ts',
    line: 'isDeadline: ({ event }) =>',
    mutator: 'ConditionalExpression',
    reason: 'narrows the type: it stands on this event alone',
  },
  {
    file: 'src/machines/job.ts',
    line: "event.type === 'job.timeOut' &&",
    mutator: 'ConditionalExpression',
    reason: 'narrows the type: it stands on this event alone',
  },
  {
    file: 'src/machines/job.ts',
    line: "{ kind: 'stopped' }",
    mutator: 'ObjectLiteral',
    reason: 'read as any outcome that is neither completed nor failed',
  },
  {
    file: 'src/machines/job.ts',
    line: "{ kind: 'stopped' }",
    mutator: 'StringLiteral',
    reason: 'read as any outcome that is neither completed nor failed',
  },
  {
    file: 'src/actors/leaseKeeper.ts',
    line: 'rounds += 1;',
    mutator: 'AssignmentOperator',
    reason: 'counted down, the rounds are divided by as many',
  },
  {
    file: 'src/actors/patientClock.ts',
    line: '?? { endedAt: -Infinity, totalMs: 0 }',
    mutator: 'ObjectLiteral',
    reason: 'nothing known of an absence counts to NaN, which is no time left either',
  },
  {
    file: 'src/actors/claimAhead.ts',
    line: '#paused: readonly string[] = [];',
    mutator: 'ArrayDeclaration',
    reason: 'a name that no job has',
  },
  {
    file: 'src/actors/claimAhead.ts',
    line: 'if (oldest !== undefined && oldest.askedAt <= since)',
    mutator: 'ConditionalExpression',
    reason: 'spares the walk over what waits: where nothing is stale nothing goes',
  },
  {
    file: 'src/actors/claimAhead.ts',
    line: 'if (this.#paused.length > 0)',
    mutator: 'ConditionalExpression',
    reason: 'spares the walk over what waits: where no name is paused nothing goes',
  },
  {
    file: 'src/actors/claimAhead.ts',
    line: 'if (this.#paused.length > 0)',
    mutator: 'EqualityOperator',
    reason: 'spares the walk over what waits: where no name is paused nothing goes',
  },
  {
    file: 'src/actors/attemptTrace.ts',
    line: 'forceFlush?.()',
    mutator: 'OptionalChaining',
    reason: 'what has no such method would throw, and what is thrown here is passed over',
  },
  {
    file: 'src/actors/isolation/spares.ts',
    line: 'this.#closing.delete(child.closed)',
    mutator: 'ArrowFunction',
    reason: 'what is closed is not waited for, kept or not: it is memory that is spared',
  },
  {
    file: 'src/actors/isolation/attemptRunner.ts',
    line: '#isLeaving = false;',
    mutator: 'BooleanLiteral',
    reason: 'is set when the attempt is over, and read only after that',
  },
  {
    file: 'src/actors/isolation/attemptRunner.ts',
    line: 'if (code === undefined) return;',
    mutator: 'ConditionalExpression',
    reason: 'narrows the type: the attempt has failed by then, and what it says after that is not heard',
  },
  {
    file: 'src/actors/isolation/jsonLines.ts',
    line: '} catch {',
    mutator: 'BlockStatement',
    reason: 'what returns nothing returns undefined',
  },
  {
    file: 'src/actors/isolation/outputLines.ts',
    line: "const [first = '', ...rest] = text.split(",
    mutator: 'StringLiteral',
    reason: 'narrows the type: a text that is split has one part at least',
  },
  {
    file: 'src/actors/isolation/outputLines.ts',
    line: "new StringDecoder('utf8')",
    mutator: 'StringLiteral',
    reason: 'where no encoding is named it is this one',
  },
];
