/** A progress bar on stderr; on something else than a terminal, one line at the start and one at the end. */
import process from "node:process";

const WIDTH = 30;

/** Progress of one thing. */
export class ProgressBar {
  readonly #what: string;
  readonly #isTerminal = process.stderr.isTTY === true;
  #lastDrawn = "";

  /** `what`: for example "Loading model". */
  constructor(what: string) {
    this.#what = what;
    if (this.#isTerminal) this.update(0);
    else process.stderr.write(`${what} ...\n`);
  }

  /** Shows the share that is done, 0 to 1, and what it amounts to. */
  update(share: number, amount = ""): void {
    if (!this.#isTerminal) return;
    const filled = Math.round(WIDTH * Math.min(1, Math.max(0, share)));
    const bar = "#".repeat(filled) + "-".repeat(WIDTH - filled);
    const line = `${this.#what} [${bar}] ${Math.floor(100 * share)} %${amount === "" ? "" : `  ${amount}`}`;
    if (line === this.#lastDrawn) return;
    process.stderr.write(`\r${line.padEnd(this.#lastDrawn.length)}`);
    this.#lastDrawn = line;
  }

  /** Ends the line. `result`: what was done. */
  end(result: string): void {
    const line = `${this.#what}: ${result}`;
    process.stderr.write(this.#isTerminal ? `\r${line.padEnd(this.#lastDrawn.length)}\n` : `${line}\n`);
  }
}
