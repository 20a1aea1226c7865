// What the tables of a report can do in a browser: show the rows that hold some words, and put them in the order of a
// column. Without it the page reads the same. Part of the page itself: it loads nothing.

const collator = new Intl.Collator(undefined, { numeric: true });
const grouped = new Intl.NumberFormat('en-US');

for (const table of document.querySelectorAll('table')) {
  const body = table.tBodies[0];
  if (body === undefined || table.dataset.rows === undefined) continue;
  const rows = [...body.rows];
  if (rows.length > 10) makeFilter(table, rows);
  makeSorting(table, body, rows);
}

/**
 * @param {HTMLTableElement} table
 * @param {HTMLTableRowElement[]} rows
 */
function makeFilter(table, rows) {
  const label = document.createElement('label');
  const input = document.createElement('input');
  const status = document.createElement('span');
  input.type = 'search';
  input.autocomplete = 'off';
  status.role = 'status';
  label.append('Rows with ', input);
  const bar = document.createElement('p');
  bar.className = 'filter';
  bar.append(label, status);
  table.parentElement?.before(bar);
  /** @type {string[] | null} */
  let texts = null;
  input.addEventListener('input', () => {
    // Cells apart, so that no word is found across two of them.
    texts ??= rows.map((row) =>
      [...row.cells]
        .map((cell) => cell.textContent)
        .join('\n')
        .toLowerCase(),
    );
    const words = input.value.toLowerCase().split(/\s+/);
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !words.every((word) => texts?.[index]?.includes(word));
      if (!row.hidden) shown += 1;
    });
    status.textContent =
      input.value.trim() === '' ? '' : `${grouped.format(shown)} of ${grouped.format(rows.length)}`;
  });
}

/**
 * Ascending, descending, and as it was.
 *
 * @param {HTMLTableElement} table
 * @param {HTMLTableSectionElement} body
 * @param {HTMLTableRowElement[]} rows
 */
function makeSorting(table, body, rows) {
  const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
  heads.forEach((head, column) => {
    if (head.tagName !== 'TH') return;
    const button = document.createElement('button');
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const was = head.ariaSort;
      for (const other of heads) other.ariaSort = null;
      const order = was === null ? 'ascending' : was === 'ascending' ? 'descending' : null;
      head.ariaSort = order;
      body.append(...(order === null ? rows : sorted(rows, column, order === 'ascending' ? 1 : -1)));
    });
  });
}

/**
 * Numbers by their value, other texts as people order them; what is not there comes last.
 *
 * @param {HTMLTableRowElement[]} rows
 * @param {number} column
 * @param {1 | -1} direction
 */
function sorted(rows, column, direction) {
  const keyed = rows.map((row) => {
    const cell = /** @type {HTMLTableCellElement} */ (row.cells[column]);
    const text = cell.querySelector('.none') ? null : cell.querySelector('.empty') ? '' : cell.textContent;
    const number = /^\s*[+-]?[\d,]*\.?\d+\s*%?\s*$/.test(text ?? '')
      ? Number(text?.replace(/[,%\s]/g, ''))
      : Number.NaN;
    return { row, text, number };
  });
  return keyed
    .sort((a, b) => {
      if (a.text === null || b.text === null) return Number(a.text === null) - Number(b.text === null);
      const isText = [Number.isNaN(a.number), Number.isNaN(b.number)];
      if (isText[0] !== isText[1]) return isText[0] ? 1 : -1;
      return direction * (isText[0] ? collator.compare(a.text, b.text) : a.number - b.number);
    })
    .map(({ row }) => row);
}
