// report.cjs: the job, in a file of its own
const { defineJob } = require('unstuck');

module.exports = defineJob({
  module: __filename,
  run: ({ month }) => ({ title: `Report of ${month}` }),
});
