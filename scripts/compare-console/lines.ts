/** Consoles of Linux, line by line: what two of them have in common, and what is left of each. */

/** A line. */
export interface ConsoleLine {
  /** Without what a terminal does with it, and without the kernel's time stamp. */
  readonly text: string;
  /** It had a time stamp; lines without are those of programs, and of firmware. */
  readonly isKernel: boolean;
}

/** What two consoles have in common, and what not. */
export interface LineDifferences {
  /** Lines that are the same in both. */
  readonly same: number;
  /** Lines of the kernel that are the same but for numbers: sizes, addresses, dates, frequencies. Those of the first console. */
  readonly numbers: readonly string[];
  readonly onlyFirst: readonly string[];
  readonly onlySecond: readonly string[];
}

/** ESC c, and the control sequences of ECMA-48, section 5.4. */
const ESCAPES = new RegExp(`${String.fromCharCode(0x1b)}(\\[[0-9;?]*[A-Za-z]|c)`, 'g');
const STAMP = /\[ *\d+\.\d{6}\] /;

/** The lines of a console. A boot loader may leave the cursor where the kernel then begins: its text is cut off. */
export function consoleLines(console: string): ConsoleLine[] {
  return console
    .replaceAll(ESCAPES, '\n')
    .split(/[\r\n]+/)
    .map((line) => ({ text: line.replace(STAMP, '').trimEnd(), isKernel: STAMP.test(line) }))
    .filter(({ text }) => text !== '');
}

/** The text with every number made alike. */
export function withoutNumbers(text: string): string {
  return text.replaceAll(/0x[0-9a-f]+|\b[0-9a-f]*[0-9][0-9a-f]*\b|[0-9]+/gi, '#');
}

/** Compares without regard to the order, which the kernel's asynchronous starts decide. */
export function differences(first: readonly ConsoleLine[], second: readonly ConsoleLine[]): LineDifferences {
  const exact = takeCommon(first, second, ({ text }) => text);
  const rest = takeCommon(exact.first, exact.second, ({ text, isKernel }) => (isKernel ? withoutNumbers(text) : text));
  const texts = (lines: readonly ConsoleLine[]): string[] => lines.map(({ text }) => text);
  return {
    same: exact.common.length,
    numbers: texts(rest.common),
    onlyFirst: texts(rest.first),
    onlySecond: texts(rest.second),
  };
}

function takeCommon(
  first: readonly ConsoleLine[],
  second: readonly ConsoleLine[],
  key: (line: ConsoleLine) => string,
): { common: ConsoleLine[]; first: ConsoleLine[]; second: ConsoleLine[] } {
  const left = new Map<string, number>();
  for (const line of second) left.set(key(line), (left.get(key(line)) ?? 0) + 1);
  const take = (line: ConsoleLine): boolean => {
    const count = left.get(key(line)) ?? 0;
    if (count > 0) left.set(key(line), count - 1);
    return count > 0;
  };
  const common: ConsoleLine[] = [];
  const onlyFirst: ConsoleLine[] = [];
  for (const line of first) (take(line) ? common : onlyFirst).push(line);
  return { common, first: onlyFirst, second: second.filter(take) };
}
