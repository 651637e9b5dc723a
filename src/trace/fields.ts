/** Typed fields of a message that is not trusted. */
import { ColumnError } from './columns.js';

/** Takes typed fields out of a message. */
export class Fields {
  readonly #message: Record<string, unknown>;
  constructor(
    message: unknown,
    readonly what: string,
  ) {
    if (typeof message !== 'object' || message === null || Array.isArray(message)) throw this.#bad('its fields');
    this.#message = message as Record<string, unknown>;
  }
  #bad(name: string): ColumnError {
    return new ColumnError(`has no ${this.what} with a valid ${name}`);
  }
  value(name: string): unknown {
    return this.#message[name];
  }
  text(name: string): string {
    const value = this.#message[name];
    if (typeof value !== 'string') throw this.#bad(name);
    return value;
  }
  texts(name: string): string[] {
    const value = this.#message[name];
    if (!Array.isArray(value) || !value.every((element) => typeof element === 'string')) throw this.#bad(name);
    return value;
  }
  word<W extends string>(name: string, words: readonly W[]): W {
    const found = words.find((word) => word === this.#message[name]);
    if (found === undefined) throw this.#bad(name);
    return found;
  }
  flag(name: string): boolean {
    const value = this.#message[name];
    if (typeof value !== 'boolean') throw this.#bad(name);
    return value;
  }
  number(name: string, maximum: number, minimum = 0): number {
    const value = this.#message[name];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
      throw this.#bad(name);
    }
    return value;
  }
  list(name: string): unknown[] {
    const value = this.#message[name];
    if (!Array.isArray(value)) throw this.#bad(name);
    return value;
  }
  bytes(name: string): Uint8Array {
    const value = this.#message[name];
    if (!(value instanceof Uint8Array)) throw this.#bad(name);
    return new Uint8Array(value);
  }
  json(name: string): unknown {
    try {
      return JSON.parse(this.text(name));
    } catch {
      throw this.#bad(name);
    }
  }
  jsonObject(name: string): Record<string, unknown> {
    const value = this.json(name);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.#bad(name);
    return value as Record<string, unknown>;
  }
}
