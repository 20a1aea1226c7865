// Sends an invoice to each customer, by a mail server that may not answer. There is no timeout in it: that is what happens.

import { defineChunkedJob } from '../../src/index.ts';

interface Invoices {
  customers: string[];
  /** The mail server's address. */
  mail: string;
}

export default defineChunkedJob({
  module: import.meta.url,
  start: { sent: 0 },
  total: ({ customers }: Invoices) => customers.length,
  *chunks({ customers }: Invoices, { checkpoint }) {
    for (const customer of customers.slice(checkpoint.sent)) yield [customer];
  },
  async process([customer = ''], { input, checkpoint }) {
    const answer = await fetch(input.mail, { method: 'POST', body: customer });
    if (!answer.ok) throw new Error(`the mail server answered ${answer.status} for ${customer}`);
    return { sent: checkpoint.sent + 1 };
  },
});
