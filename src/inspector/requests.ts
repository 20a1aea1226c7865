// What the page asks of the processor and has it do, as plain calls: who may is decided before, see access.ts. Secrets are
// taken out here, and what a list shows of a job is bounded.

import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { JobState, JobStatus, ListQuery, Stats } from '../index.ts';
import { bodyOf } from './actBody.ts';
import { type DetailSources, jobDetail } from './jobDetail.ts';
import { NodesReader } from './nodesAtWork.ts';

const longestMessage = 300;

/** A job in a list. */
export interface JobSummary extends Omit<JobStatus, 'history' | 'failure'> {
  readonly failure: { readonly name: string; readonly message: string } | null;
}

export interface Queue {
  readonly length: number;
  /** How long it has waited says how far behind the processors are. */
  readonly next: JobSummary | null;
}

export interface RequestSources extends DetailSources {
  readonly logger: Logger;
}

export class Requests {
  readonly #sources: RequestSources;
  readonly #nodes: NodesReader;

  constructor(sources: RequestSources) {
    this.#sources = sources;
    this.#nodes = new NodesReader(sources.processor);
  }

  /** Null: nothing to be read is there. Throws JobNotFoundError, ConfigurationError, URIError. */
  async read(pathname: string, params: URLSearchParams): Promise<object | null> {
    if (pathname === '/queue') return this.#queue();
    if (pathname === '/stats') return this.#stats();
    if (pathname === '/nodes') return this.#nodes.read();
    if (pathname === '/jobs') return this.#list(params);
    const id = /^\/jobs\/([^/]+)$/.exec(pathname)?.[1];
    return id === undefined ? null : jobDetail(decodeURIComponent(id), this.#sources);
  }

  /** Throws as read does, and InputError. */
  async act(pathname: string, request: IncomingMessage): Promise<{ status: number; answer: object }> {
    const { processor, logger, redaction } = this.#sources;
    const { by, reason } = await bodyOf(request);
    const who = `${by ?? 'somebody'} at ${request.socket.remoteAddress}`;
    const [, id = '', act = ''] = /^\/jobs\/([^/]+)\/(cancel|timeout|retry)$/.exec(pathname) ?? [];
    if (pathname === '/drain') {
      logger.warn({ who }, `drain asked for on the page by ${who}`);
      processor.drain().catch((error) => logger.error({ err: error }, `drain: ${error.message}`));
      return { status: 202, answer: { drain: 'begun' } };
    }
    if (act === '') return { status: 404, answer: { error: `${pathname}: no such act` } };
    const job = await processor.get(decodeURIComponent(id));
    logger.warn({ who, jobId: job.id }, `${act} of job ${job.id} asked for on the page by ${who}`);
    const after = {
      cancel: () => job.cancel(reason ?? `by ${who}`),
      timeout: () => processor.timeoutJob(job.id),
      retry: async () => (await processor.retry(job.id)).status(),
    }[act as 'cancel' | 'timeout' | 'retry'];
    return { status: 200, answer: redaction.status(await after()) };
  }

  async #list(params: URLSearchParams): Promise<{ jobs: JobSummary[]; next: string | null }> {
    const limit = Math.min(Number(params.get('limit') ?? 50), 500);
    const date = (name: string) => (params.has(name) ? new Date(params.get(name) as string) : undefined);
    const query: ListQuery<string> = {
      state: (params.get('state') as JobState | null) ?? undefined,
      name: params.get('name') ?? undefined,
      key: params.get('key') ?? undefined,
      from: date('from'),
      before: date('before'),
      after: params.get('after') ?? undefined,
      limit,
    };
    const jobs: JobSummary[] = [];
    for await (const job of this.#sources.processor.list(query)) jobs.push(this.#summary(job));
    return { jobs, next: jobs.length === limit ? (jobs.at(-1)?.id ?? null) : null };
  }

  async #queue(): Promise<Queue> {
    const { processor } = this.#sources;
    const length = await processor.jobQueue.size();
    for await (const id of processor.jobQueue) {
      // Started meanwhile, and gone: asked again next time.
      const next = await processor.get(id).then(
        async (job) => this.#summary(await job.status()),
        () => null,
      );
      return { length, next };
    }
    return { length, next: null };
  }

  #stats(): Promise<Stats> {
    return this.#sources.processor.stats();
  }

  #summary(job: JobStatus): JobSummary {
    const { history: _, failure, reason, ...status } = this.#sources.redaction.status(job);
    return {
      ...status,
      reason: reason === null ? null : short(reason),
      failure: failure === null ? null : { name: short(failure.name), message: short(failure.message) },
    };
  }
}

function short(text: string): string {
  return text.length <= longestMessage ? text : `${text.slice(0, longestMessage)}…`;
}
