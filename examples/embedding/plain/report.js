// report.js: the job, in a file of its own
import { defineJob } from 'unstuck';

export default defineJob({
  module: import.meta.url,
  run: ({ month }) => ({ title: `Report of ${month}` }),
});
