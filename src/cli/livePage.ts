// The live page of a processor, as a command opens it.

import {
  ConfigurationError,
  type InspectOptions,
  type Inspector,
  type JobProcessor,
  type Jobs,
} from '../index.ts';

/** `option` is the one that said the port, for the error. */
export async function livePage<J extends Jobs>(
  processor: JobProcessor<J>,
  port: number,
  option: string,
  more: Pick<InspectOptions, 'metrics'> = {},
): Promise<Inspector> {
  try {
    return await processor.inspect({ port, ...more });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const got = code === 'EADDRINUSE' ? `${port}, which is taken` : message;
    throw new ConfigurationError(option, 'a port that is free', got, 'Port 0 is a free one.');
  }
}
