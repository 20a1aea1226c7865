// sdk.ts: an app with OpenTelemetry's SDK. The processor finds the provider that is registered when it starts.

import { metrics } from '@opentelemetry/api';
import {
  ConsoleMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { defineJob, JobProcessor } from 'unstuck';

// Any other exporter here: OTLP, say.
const exporter = new ConsoleMetricExporter();
const provider = new MeterProvider({
  readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })],
});
metrics.setGlobalMeterProvider(provider);

const jobs = { greet: defineJob({ run: (name: string) => `Hello ${name}` }) };
const processor = await new JobProcessor({ engine: 'memory', jobs }).start();
const job = await processor.submit('greet', 'Ada');
console.log(await job.result());

await processor.stop();
await provider.shutdown();
