/** The part of docs/kvm-emulator.md that is made of the tables emulator-gaps.ts and explained-emulator.ts. */
import type { Explanation } from './explained.js';
import { EMULATOR_ROWS } from './explained-emulator.js';

/** What stands around the part. */
export const BEGIN = '<!-- made by scripts/kvm-emulator.ts of the tables in src/compare/insn -->';
export const END = '<!-- end -->';

/** What one `vmtape compare insn --json` of a level printed. */
export interface EmulatorReport {
  readonly level: string;
  readonly seed: number;
  readonly cases: number;
  readonly explained: readonly { readonly title: string; readonly count: number }[];
}

/** A row's cells but for the counts. */
export function cellsOf({ title, levels, source }: Explanation): readonly [string, string, string] {
  const text = (value: string) => value.replaceAll('|', '\\|');
  const where = levels.length > 1 ? 'both' : levels[0] === 'real' ? 'real mode' : 'CPL 0';
  return [text(title), where, text(source)];
}

function countOf(reports: readonly EmulatorReport[], level: string, title: string): string {
  const of = reports.filter((report) => report.level === level);
  const count = of.reduce((sum, { explained }) => sum + (explained.find((it) => it.title === title)?.count ?? 0), 0);
  return of.length === 0 ? '–' : String(count);
}

/** The part, between {@link BEGIN} and {@link END}. */
export function emulatorReference(reports: readonly EmulatorReport[]): string {
  const ran = (level: string) => {
    const of = reports.filter((report) => report.level === level);
    const cases = of.reduce((sum, report) => sum + report.cases, 0);
    return `${cases.toLocaleString('en')} cases (seeds ${of.map(({ seed }) => seed).join(', ')})`;
  };
  const table = (heading: string, rows: readonly Explanation[]) => [
    `### ${heading}`,
    '',
    '| what | where | at CPL 0 | in real mode | in Linux |',
    '|---|---|---|---|---|',
    ...rows.map((row) => {
      const [title, where, source] = cellsOf(row);
      const counts = ['kernel', 'real'].map((level) => countOf(reports, level, row.title));
      return `| ${title} | ${where} | ${counts.join(' | ')} | ${source} |`;
    }),
    '',
  ];
  const isGap = ({ title }: Explanation) => title.startsWith('not executed');
  return [
    BEGIN,
    '',
    `The numbers are cases of \`vmtape compare insn\` that the row explains: ${ran('kernel')} at CPL 0, ${ran('real')} in real mode.`,
    '',
    ...table(
      'Executed otherwise',
      EMULATOR_ROWS.filter((row) => !isGap(row)),
    ),
    ...table('Not executed', EMULATOR_ROWS.filter(isGap)),
    END,
  ].join('\n');
}
