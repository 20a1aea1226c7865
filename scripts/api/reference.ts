// npm run api: writes docs/api from the docstrings of the public names, and the tables of docs/options.md that are made of
// them. A test fails when they are stale, or when a public name has no docstring.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  Application,
  type DeclarationReflection,
  type ProjectReflection,
  TSConfigReader,
  TypeDocReader,
} from 'typedoc';
import { withMarked } from '../marked.ts';

export const folder = fileURLToPath(new URL('../../docs/api', import.meta.url));
export const optionsPage = new URL('../../docs/options.md', import.meta.url);

/** The interfaces whose fields a table of docs/options.md lists, by the name of the table. */
const tables = {
  processor: 'ProcessorOptions',
  retry: 'RetrySettings',
  definition: 'OneJob',
  submit: 'SubmitOptions',
  limits: 'Limits',
  inspect: 'InspectOptions',
};

/** Writes the reference into `out`. Answers with the options page as it should be, and with what is not documented. */
export async function makeReference(out: string): Promise<{ page: string; complaints: string[] }> {
  const options = fileURLToPath(new URL('typedoc.json', import.meta.url));
  const readers = [new TypeDocReader(), new TSConfigReader()];
  const app = await Application.bootstrapWithPlugins({ options, out }, readers);
  const complaints: string[] = [];
  app.logger.log = (message: string, level: number) => void (level > 1 && complaints.push(message));
  const project = await app.convert();
  if (project === undefined) throw new Error(complaints.join('\n'));
  app.validate(project);
  await app.generateOutputs(project);
  let page = readFileSync(optionsPage, 'utf8');
  for (const [name, type] of Object.entries(tables)) page = withMarked(page, name, tableOf(project, type));
  return { page, complaints };
}

/** The fields of an interface, but for the settings, which have a table of their own. */
function tableOf(project: ProjectReflection, name: string): string {
  const [type, settings] = [name, 'JobSettings'].map(
    (name) => project.getChildByName(`unstuck.${name}`) as DeclarationReflection,
  );
  const isSetting = (field: string) => settings?.children?.some(({ name }) => name === field);
  const cell = (text: string) => text.replaceAll('|', '\\|').replace(/\s+/g, ' ').trim();
  const rows = (type?.children ?? [])
    .filter((field) => !isSetting(field.name))
    .map(({ name, type, comment, signatures, flags }) => {
      const about = comment ?? signatures?.[0]?.comment;
      const text = about?.summary.map((part) => part.text).join('') ?? '';
      const written = cell(type === undefined ? 'function' : String(type));
      const code = written.includes('`') ? `\`\` ${written} \`\`` : `\`${written}\``;
      return `| \`${name}\`${flags.isOptional ? '' : ', required'} | ${code} | ${cell(text)} |`;
    });
  return ['| field | type | what it is |', '| --- | --- | --- |', ...rows].join('\n');
}

if (import.meta.main) {
  rmSync(folder, { recursive: true, force: true });
  const { page, complaints } = await makeReference(folder);
  writeFileSync(optionsPage, page);
  for (const complaint of complaints) console.error(complaint);
  if (complaints.length > 0) process.exitCode = 1;
}
