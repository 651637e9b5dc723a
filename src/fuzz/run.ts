/** Running an oracle over a target with fast-check; a failure ends in the command that shows it again. */
import fc from 'fast-check';
import { anyMutations, anyOperations, anyState } from './arbitraries.js';
import { type Operation, printOperation } from './operations.js';
import { answers, cut, type HostileState, hostile, reset } from './oracles.js';
import type { FuzzTarget } from './targets.js';

/** The oracles by name. */
export const oracleNames = ['answers', 'reset', 'cut', 'hostile'] as const;
/** One of {@link oracleNames}. */
export type OracleName = (typeof oracleNames)[number];

/** How long and from where. */
export interface FuzzOptions {
  /** A 32-bit number: the same seed gives the same runs. */
  readonly seed: number;
  readonly runs: number;
  /** fast-check's path to one case: shows only that. */
  readonly path?: string | undefined;
  /** False: a failure is shown as it was found. Default true. */
  readonly shrink?: boolean;
}

/** The result of one oracle on one target. */
export interface FuzzResult {
  readonly target: string;
  readonly oracle: OracleName;
  readonly seed: number;
  readonly runs: number;
  /** Absent when nothing was found. */
  readonly failure?: FuzzFailure;
}

/** A finding, shrunk. */
export interface FuzzFailure {
  readonly message: string;
  readonly path: string;
  /** The shrunk case, a line an operation. */
  readonly operations: readonly string[];
  /** Shows it again. */
  readonly command: string;
}

/** What fast-check tells, whatever the case is made of. */
interface Outcome {
  readonly failed: boolean;
  readonly numRuns: number;
  readonly seed: number;
  readonly counterexample: readonly unknown[] | null;
  readonly counterexamplePath: string | null;
  readonly errorInstance: unknown;
}

/** Operations or phrases in a sequence. */
const MOST_OPERATIONS = { answers: 40, reset: 20, cut: 10, hostile: 8 } as const;

/** Runs one oracle. Deterministic for a seed. */
export function fuzz(target: FuzzTarget, oracle: OracleName, options: FuzzOptions): FuzzResult {
  const { device, inputs } = target.create(0);
  const sequence = anyOperations(device, inputs.length, MOST_OPERATIONS[oracle]);
  const { seed, runs, path } = options;
  const endOnFailure = options.shrink === false;
  const parameters = { seed, numRuns: runs, endOnFailure, ...(path === undefined ? {} : { path }) };
  let outcome: Outcome;
  switch (oracle) {
    case 'answers':
      outcome = fc.check(
        fc.property(sequence, (operations) => answers(target, operations)),
        parameters,
      );
      break;
    case 'reset':
      outcome = fc.check(
        fc.property(sequence, sequence, (before, after) => reset(target, before, after)),
        parameters,
      );
      break;
    case 'cut':
      outcome = fc.check(
        fc.property(sequence, (operations) => cut(target, operations)),
        parameters,
      );
      break;
    case 'hostile': {
      const state: fc.Arbitrary<HostileState> = fc.oneof(
        { weight: 3, arbitrary: anyMutations.map((mutations) => ({ mutations })) },
        { weight: 1, arbitrary: anyState(device.stateTable).map((invented) => ({ state: invented })) },
      );
      const property = fc.property(sequence, state, sequence, (before, bad, after) =>
        hostile(target, before, bad, after),
      );
      outcome = fc.check(property, parameters);
      break;
    }
  }
  const result = { target: target.name, oracle, seed, runs: outcome.numRuns };
  if (!outcome.failed) return result;
  return { ...result, failure: describe(target.name, oracle, outcome) };
}

function describe(target: string, oracle: OracleName, outcome: Outcome): FuzzFailure {
  const path = outcome.counterexamplePath ?? '';
  const error = outcome.errorInstance;
  const parts = outcome.counterexample ?? [];
  const operations = parts.flatMap((part) =>
    Array.isArray(part)
      ? part.map((operation) => printOperation(operation as Operation))
      : [`state: ${fc.stringify(part)}`],
  );
  return {
    message:
      error instanceof Error
        ? error.name === 'Finding'
          ? error.message
          : `${error.name}: ${error.message}`
        : String(error),
    path,
    operations,
    command: `npm run fuzz -- --target ${target} --oracle ${oracle} --seed ${outcome.seed} --path "${path}"`,
  };
}

/** A failure as it is shown. */
export function printFailure(result: FuzzResult, failure: FuzzFailure): string {
  return [
    `${result.target}: the oracle ${result.oracle} found: ${failure.message}`,
    ...failure.operations.map((line) => `    ${line}`),
    `shown again by: ${failure.command}`,
  ].join('\n');
}
