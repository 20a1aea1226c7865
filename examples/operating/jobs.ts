// What `unstuck work` and `unstuck submit` are given.

import invoices from './invoices.ts';

export const jobs = { invoices };
