// The names of the files a reconciliation leaves in its out folder. summary.json is written last and removed
// first: where it stands, the others beside it belong to it.

export const formats = ['csv', 'jsonl', 'parquet'] as const;
/** What the reports for programs are written as. */
export type ReportFormat = (typeof formats)[number];

export const summaryName = 'summary.json';
/** The report for people. */
export const pageName = 'report.html';

const tables = ['differences', 'only-left', 'only-right', 'duplicates', 'matches', 'rejected'] as const;
export type TableName = (typeof tables)[number];

/** All that any run writes, `summary.json` last. */
export const reportNames = [
  ...formats.flatMap((format) => tables.map((table) => `${table}.${format}`)),
  pageName,
  summaryName,
];
/** The private folder of a run that is not finished. */
export const stagingName = '.staging';
