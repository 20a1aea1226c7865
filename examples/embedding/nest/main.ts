// NestJS: the processor is a provider, started and stopped with the module that owns it.
import 'reflect-metadata';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  Injectable,
  Module,
  type OnModuleDestroy,
  type OnModuleInit,
  Param,
  Post,
  ServiceUnavailableException,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JobProcessor } from 'unstuck';
import report from '../report.ts';

@Injectable()
class Jobs implements OnModuleInit, OnModuleDestroy {
  readonly processor = new JobProcessor({ engine: 'sqlite:jobs.db', jobs: { report } });
  async onModuleInit() {
    await this.processor.start();
  }
  async onModuleDestroy() {
    await this.processor.stop();
  }
}

@Controller('reports')
class ReportsController {
  readonly jobs: Jobs;
  constructor(@Inject(Jobs) jobs: Jobs) {
    this.jobs = jobs;
  }
  @Post()
  @HttpCode(202)
  async submit(@Body() { month }: { month: string }) {
    const { id } = await this.jobs.processor.submit('report', { month });
    return { id };
  }
  @Get(':id')
  async status(@Param('id') id: string) {
    return (await this.jobs.processor.get(id)).status();
  }
}

@Controller()
class ProbesController {
  readonly jobs: Jobs;
  constructor(@Inject(Jobs) jobs: Jobs) {
    this.jobs = jobs;
  }
  /** Alive: the event loop answers. */
  @Get('livez')
  livez() {
    return 'ok';
  }
  /** Ready: jobs can start. */
  @Get('readyz')
  async readyz() {
    const health = await this.jobs.processor.health();
    if (health.status === 'down') throw new ServiceUnavailableException(health);
    return health;
  }
}

@Module({ providers: [Jobs], controllers: [ReportsController, ProbesController] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
// Exit code 0 rather than the signal: an orchestrator reads it as an orderly end.
app.enableShutdownHooks(['SIGTERM'], { useProcessExit: true });
const server = await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
console.log('listening', server.address());
