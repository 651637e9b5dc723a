/** The opcode table, all families. */
import { readdirSync } from 'node:fs';
import type { OpcodeRow } from '../../../interp/opcodes/row.js';

/** Placeholders for what the interpreter has not yet: they raise an engine error. */
const NOT_WRITTEN = /^escape(X87|Mmx|Sse)\(/;

let table: readonly OpcodeRow[] | undefined;

/** Every row that executes something, in a fixed order: by file, then as written. */
export async function loadRows(): Promise<readonly OpcodeRow[]> {
  if (table) return table;
  const folder = new URL('../../../interp/opcodes/', import.meta.url);
  const files = readdirSync(folder).filter((name) => /(?<!\.d)\.[jt]s$/.test(name));
  const rows: OpcodeRow[] = [];
  for (const name of [...new Set(files.map((file) => file.replace(/\.[jt]s$/, '')))].sort()) {
    const file = files.find((one) => one === `${name}.js`) ?? `${name}.ts`;
    const module = (await import(new URL(file, folder).href)) as { rows?: readonly OpcodeRow[] };
    rows.push(...(module.rows ?? []));
  }
  table = rows.filter(({ reg, mem }) => !NOT_WRITTEN.test(reg ?? mem ?? ''));
  return table;
}
