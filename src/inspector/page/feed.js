// What the server tells of what lives, message by message.

import { useEffect, useState } from './library.js';

/** @import { ToldFacts, ToldLine, ToldMessage } from '../answers.ts' */
/** @typedef {{ isOpen: boolean, jobs: Map<string, ToldLine>, facts: ToldFacts | null, lit: Map<string, number> }} Feed */
/** @typedef {Feed & { facts: ToldFacts }} LiveFeed What has heard its first message. */

export function useFeed() {
  const [feed, setFeed] = useState(
    /** @type {Feed} */ ({
      isOpen: false,
      jobs: new Map(),
      facts: null,
      lit: new Map(),
    }),
  );
  useEffect(() => {
    const source = new EventSource('events');
    const jobs = /** @type {Feed['jobs']} */ (new Map());
    const lit = /** @type {Feed['lit']} */ (new Map());
    source.onmessage = ({ data }) => {
      const { isWhole, jobs: changed, gone, facts } = /** @type {ToldMessage} */ (JSON.parse(data));
      if (isWhole) jobs.clear();
      for (const id of gone) jobs.delete(id);
      for (const job of changed) jobs.set(job.id, job);
      for (const [, , state] of facts.transitions) lit.set(state, facts.at);
      setFeed({ isOpen: true, jobs, facts, lit });
    };
    source.onerror = () => setFeed((before) => ({ ...before, isOpen: false }));
    return () => source.close();
  }, []);
  return feed;
}
