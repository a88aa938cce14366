/** Several texts that grow at once, on one output: the first that is not finished is shown as it grows, the others when it is their turn. */

interface Text {
  readonly title: string;
  waiting: string;
  ended: boolean;
}

/** Prints texts one after another. */
export class TextPrinter {
  readonly #texts: Text[];
  readonly #write: (text: string) => void;
  #shown = -1;

  /** `titles`: what stands above each text. */
  constructor(titles: readonly string[], write: (text: string) => void) {
    this.#texts = titles.map((title) => ({ title, waiting: "", ended: false }));
    this.#write = write;
    this.#next();
  }

  /** Adds to a text. */
  add(index: number, text: string): void {
    if (index === this.#shown) this.#write(text);
    else this.#texts[index].waiting += text;
  }

  /** A text is complete. */
  end(index: number): void {
    this.#texts[index].ended = true;
    while (this.#texts[this.#shown]?.ended) {
      this.#write("\n\n");
      this.#next();
    }
  }

  #next(): void {
    this.#shown++;
    const text = this.#texts[this.#shown];
    if (text !== undefined) this.#write(`${text.title}\n${text.waiting}`);
  }
}
