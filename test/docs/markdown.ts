// Our pages as what runs and checks them sees them: their code, their links, and what a link may point to.

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import GithubSlugger from 'github-slugger';
import MarkdownIt, { type Token } from 'markdown-it';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Block {
  /** Of its first line of code in the page, from 1. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** What an HTML comment before it says of it: `not run: a diagram`. */
  readonly remark: string | null;
}

export interface Page {
  /** From the root of the checkout. */
  readonly path: string;
  readonly text: string;
  /** With hidden parts, which readers do not see: HTML comments that begin with `hidden`. Their language is `hidden`. */
  readonly blocks: readonly Block[];
  readonly links: readonly { readonly to: string; readonly line: number }[];
  readonly anchors: ReadonlySet<string>;
}

const markdown = new MarkdownIt({ html: true });

export function readPage(path: string): Page {
  const text = readFileSync(join(root, path), 'utf8');
  const slugger = new GithubSlugger();
  /** Of all its blocks: `all shown by: …`. */
  const whole = /^<!-- all (shown by: .+) -->$/m.exec(text)?.[1] ?? null;
  const blocks: Block[] = [];
  const links: { to: string; line: number }[] = [];
  const anchors = new Set([...text.matchAll(/<a id="([^"]+)"/g)].map(([, id = '']) => id));
  let remark: string | null = null;
  const tokens = markdown.parse(text, {});
  tokens.forEach((token, index) => {
    const line = (token.map?.[0] ?? 0) + 1;
    if (token.type === 'heading_open') anchors.add(slugger.slug(textOf(tokens[index + 1])));
    for (const child of token.children ?? []) {
      const to = child.attrGet('href') ?? child.attrGet('src');
      if (to !== null) links.push({ to: String(to), line });
    }
    if (token.type === 'html_block') {
      remark = /^<!-- (\w[\s\S]*?)\s*-->\s*$/.exec(token.content)?.[1] ?? null;
      const hidden = /^hidden\n([\s\S]*)$/.exec(remark ?? '');
      if (hidden !== null)
        blocks.push({ line: line + 1, language: 'hidden', code: hidden[1] ?? '', remark: null });
      return;
    }
    if (token.type === 'fence') {
      const language = token.info.trim().split(/\s/)[0] ?? '';
      blocks.push({ line: line + 1, language, code: token.content, remark: remark ?? whole });
    }
    remark = null;
  });
  return { path, text, blocks, links, anchors };
}

function textOf(token: Token | undefined): string {
  return (token?.children ?? []).map(({ content }) => content).join('');
}

/** All that people read, from the root of the checkout. */
export function allPages(): string[] {
  return globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: root }).sort();
}

/** The path from the root that a relative link leads to, and its anchor. */
export function targetOf(page: string, to: string): { path: string; anchor: string | null } {
  const [file = '', anchor = null] = to.split('#');
  const path = file === '' ? page : relative('.', join(dirname(page), decodeURI(file)));
  return { path, anchor };
}
