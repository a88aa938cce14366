import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseOptions, UsageError } from "../../examples/model/options.ts";

describe("parseOptions", () => {
  it("has defaults for everything", () => {
    const options = parseOptions([]);
    assert.ok(options !== undefined && options.prompts.length > 1);
    assert.equal(options.batch, options.prompts.length);
    assert.equal(options.model, undefined);
    assert.deepEqual([options.backend, options.dtype, options.temperature, options.raw], ["auto", "bf16", 0, false]);
    assert.equal(parseOptions(["--help"]), undefined);
  });

  it("reads every flag", () => {
    const args = "--model m.gguf --prompt one --prompt two --batch 5 --max-tokens 9 --temperature 0.7 --top-k 40 " +
      "--top-p 0.9 --seed 3 --backend cpu --dtype f32 --threads 2 --raw";
    assert.deepEqual(parseOptions(args.split(" ")), {
      model: "m.gguf",
      prompts: ["one", "two"],
      batch: 5,
      maxTokens: 9,
      temperature: 0.7,
      topK: 40,
      topP: 0.9,
      seed: 3,
      backend: "cpu",
      dtype: "f32",
      threads: 2,
      raw: true,
    });
  });

  it("refuses what it can't use, naming flag and value", () => {
    const cases: [string[], RegExp][] = [
      [["--max-tokens", "0"], /--max-tokens 0: pass an integer >= 1/],
      [["--max-tokens", "1e3"], /--max-tokens 1e3/],
      [["--batch", "2", "--prompt", "a", "--prompt", "b", "--prompt", "c"], /--batch 2: there are 3 prompts/],
      [["--temperature", "hot"], /--temperature hot: pass a number >= 0/],
      [["--temperature=-1"], /--temperature -1/],
      [["--top-p", "0"], /--top-p 0: pass a number > 0 and <= 1/],
      [["--top-p", ""], /--top-p/],
      [["--seed", "99999999999999999999"], /--seed/],
      [["--backend", "gpu"], /--backend gpu: pass one of auto, cpu, cuda/],
      [["--dtype", "int8"], /--dtype int8: pass one of bf16, f16, f32/],
      [["--prompt", ""], /--prompt: it is empty/],
      [["--unknown"], /--unknown/],
      [["stray"], /stray/],
      [["--model"], /--model/],
    ];
    for (const [args, pattern] of cases) {
      assert.throws(() => parseOptions(args), (error: Error) => {
        assert.ok(error instanceof UsageError, `${args}: ${error}`);
        assert.match(error.message, pattern);
        assert.match(error.message, /See --help/);
        return true;
      });
    }
  });
});
