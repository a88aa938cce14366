/** The example of a decode loop in a graph ends well, which it does only if its results are those of the CPU. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ROOT } from "../support/paths.ts";
import { runScript } from "../support/subprocess.ts";

describe("examples/graph.ts", () => {
  it("serves batches that grow, with the CPU's results", async () => {
    const { code, text } = await runScript(`${ROOT}/examples/graph.ts`);
    assert.equal(code, 0, text);
    const counts = [...text.matchAll(/^(\d+) requests, 5 steps in the graph on .*: as on the CPU within /gm)].map(
      ([, count]) => Number(count),
    );
    assert.deepEqual(counts, [1, 3, 3, 6], text);
  });
});
