// The other process of a trial: node client.js MODULE SPACE. It adds jobs, says what the system says of them and
// removes all when it is told to, or when the watcher is gone: [name, value] comes in, { value } or { error }
// goes out, one at a time.

const [module = '', space = ''] = process.argv.slice(2);
const { openClient } = await import(module);

const client = openClient(space);
let isRemoved = false;

process.on('disconnect', async () => {
  if (!isRemoved) await (await client).remove();
  process.exit();
});
process.on('message', async (/** @type {[string, unknown]} */ [name, value]) => {
  try {
    isRemoved = name === 'remove';
    process.send?.({ value: await (await client)[name](value) });
  } catch (error) {
    process.send?.({ error: /** @type {Error} */ (error).message });
  }
});
process.send?.('ready');
