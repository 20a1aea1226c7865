// mounts.ts: the live page in a server of yours
import { createServer } from 'node:http';
import express from 'express';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import type { Inspector } from '../../src/index.ts';

// Each takes: await processor.inspect({ port: null, path: '/ops' })

export const inNodeHttp = ({ handle }: Inspector) =>
  createServer((request, response) => {
    if (request.url?.startsWith('/ops')) handle(request, response);
    else response.end('the app');
  });

export const inExpress = ({ handle }: Inspector) => express().use(express.json()).use('/ops', handle);

export function inFastify({ handle }: Inspector) {
  const serve = (request: FastifyRequest, reply: FastifyReply) => {
    reply.hijack();
    // Fastify has read the body: it is handed on.
    handle(Object.assign(request.raw, { body: request.body }), reply.raw);
  };
  return fastify().all('/ops', serve).all('/ops/*', serve);
}
