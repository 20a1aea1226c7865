// COPY … TO STDOUT into a file, as fast as the file takes it: the server waits while it does not.

import type { FileHandle } from 'node:fs/promises';
import type { Connection, Submittable } from 'pg';

const blockBytes = 1 << 18;

/** A query as `pg` takes one that reads what comes itself. */
export class CopyOut implements Submittable {
  readonly #sql: string;
  readonly #file: FileHandle;
  readonly #written: (bytes: number) => void;
  readonly #ended = Promise.withResolvers<void>();
  // What pg hands out is a view of memory that it uses again.
  #block = Buffer.alloc(blockBytes);
  #filled = 0;
  #writing: Promise<void> = Promise.resolve();
  #pending = 0;

  /** `written`: is told of each block. */
  constructor(sql: string, file: FileHandle, written: (bytes: number) => void) {
    this.#sql = sql;
    this.#file = file;
    this.#written = written;
  }

  /** Resolves when all of it is in the file. */
  async ended(): Promise<void> {
    await this.#ended.promise;
    await this.#writing;
  }

  submit(connection: Connection): void {
    connection.query(this.#sql);
  }

  handleCopyData({ chunk }: { chunk: Buffer }, connection: Connection): void {
    for (let at = 0; at < chunk.length; ) {
      const copied = chunk.copy(this.#block, this.#filled, at);
      at += copied;
      this.#filled += copied;
      if (this.#filled === blockBytes) this.#flush(connection);
    }
  }

  #flush(connection: Connection): void {
    const block = this.#block.subarray(0, this.#filled);
    this.#block = Buffer.alloc(blockBytes);
    this.#filled = 0;
    this.#pending += 1;
    connection.stream.pause();
    this.#writing = this.#writing.then(async () => {
      await this.#file.writeFile(block);
      this.#written(block.length);
      this.#pending -= 1;
      if (this.#pending === 0) connection.stream.resume();
    });
    this.#writing.catch((error: Error) => {
      connection.stream.destroy(error);
    });
  }

  handleReadyForQuery(connection: Connection): void {
    if (this.#filled > 0) this.#flush(connection);
    this.#ended.resolve();
  }

  handleError(error: Error): void {
    this.#ended.reject(error);
  }

  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}
}
