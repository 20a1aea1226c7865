// The names of the files a reconciliation leaves in its out folder. summary.json is written last and removed
// first: where it stands, the others beside it belong to it.

export const summaryName = 'summary.json';
export const reportNames = [
  'differences.csv',
  'only-left.csv',
  'only-right.csv',
  'duplicates.csv',
  'matches.csv',
  'rejected.csv',
  summaryName,
];
/** The private folder of a run that is not finished. */
export const stagingName = '.staging';
