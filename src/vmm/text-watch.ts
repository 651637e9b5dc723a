/** Finds a text in bytes that go by one at a time, by the table of Knuth, Morris and Pratt. */
export class TextWatch {
  readonly #bytes: Uint8Array;
  /** The length of the longest proper border of each prefix. */
  readonly #borders: Uint32Array;
  /** So many bytes of the text are the last that went by. */
  #length = 0;

  /** `text`: at least one byte of Latin-1. */
  constructor(readonly text: string) {
    this.#bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    this.#borders = borders(this.#bytes);
  }

  /** Whether the text ends with this byte. */
  see(byte: number): boolean {
    while (this.#length > 0 && this.#bytes[this.#length] !== byte) this.#shorten();
    if (this.#bytes[this.#length] === byte) this.#length++;
    if (this.#length < this.#bytes.length) return false;
    this.#shorten();
    return true;
  }

  #shorten(): void {
    this.#length = this.#borders[this.#length - 1] as number;
  }
}

function borders(text: Uint8Array): Uint32Array {
  const table = new Uint32Array(text.length);
  let length = 0;
  for (let index = 1; index < text.length; index++) {
    while (length > 0 && text[length] !== text[index]) length = table[length - 1] as number;
    if (text[length] === text[index]) length++;
    table[index] = length;
  }
  return table;
}
