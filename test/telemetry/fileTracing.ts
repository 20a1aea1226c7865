// What an app loads with --import, as tests do it: `?file=PATH`, and `&batch` for spans that are exported in batches, long
// after a job's process has ended if nobody asks for them.

import { BatchSpanProcessor, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { FileExporter, registerTracing } from './spanFile.ts';

const { searchParams } = new URL(import.meta.url);
const exporter = new FileExporter(searchParams.get('file') as string);
registerTracing(
  searchParams.has('batch')
    ? new BatchSpanProcessor({ exporter, scheduledDelayMillis: 3_600_000 })
    : new SimpleSpanProcessor({ exporter }),
);
