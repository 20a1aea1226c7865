// One attempt in a process of its own, for tests that kill it: `attempt.ts INPUT CHECKPOINT`, both JSON. Sends each
// checkpoint, then the summary or the message of the error.

import { reconcile } from './driver.ts';

const [input, checkpoint] = process.argv.slice(2);
const attempt = {
  checkpoint: JSON.parse(checkpoint!),
  onCheckpoint: (next: unknown) => process.send!({ checkpoint: next }),
};
const last = await reconcile(JSON.parse(input!), attempt).then(
  (summary) => ({ summary }),
  (error: Error) => ({ error: error.message }),
);
process.send!(last, () => process.disconnect());
