// Text made into HTML. It keeps one promise: whatever a file, a column or a path holds stays text, and is seen as it
// is. There is no way round it but `Markup`, and only templates make that.

export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Content = Markup | string | number | readonly Content[];

/** A template: what is put into it is escaped, unless it is markup itself. Attributes stand in double quotes. */
export function html(parts: TemplateStringsArray, ...contents: Content[]): Markup {
  return new Markup(parts.map((part, index) => part + textOf(contents[index] ?? '')).join(''));
}

function textOf(content: Content): string {
  if (content instanceof Markup) return content.text;
  if (typeof content === 'object') return content.map(textOf).join('');
  return visible(String(content)).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** What has no shape of its own, or turns the direction of the text around it, is written as its number. */
function visible(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu, (char) =>
      char === '\n' || char === '\t' ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
}
