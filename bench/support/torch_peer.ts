/** PyTorch in a process of its own, for engines to take turns with: it measures what it is asked, one line of JSON at a time. */

/** Asks peers/torch_peer.py. */
export class TorchPeer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#writer = process.stdin.getWriter();
    this.#reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts it; undefined if there is no Python with PyTorch and CUDA. */
  static async start(): Promise<TorchPeer | undefined> {
    const script = new URL("../peers/torch_peer.py", import.meta.url).pathname;
    try {
      const process = new Deno.Command("python3", {
        args: [script],
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      const peer = new TorchPeer(process);
      if ((await peer.#readLine()) !== undefined) return peer;
      await peer[Symbol.asyncDispose]();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return undefined;
  }

  /** One request; the answer has what was asked, or `error`. */
  async ask(request: Record<string, unknown>): Promise<Record<string, number> & { error?: string }> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
    const line = await this.#readLine();
    if (line === undefined) throw new Error("The PyTorch process ended.");
    return JSON.parse(line);
  }

  async #readLine(): Promise<string | undefined> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#process.status;
  }
}
