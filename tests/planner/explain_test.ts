import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explainPlan } from "../../src/planner/explain.ts";
import { loadsOfPlan, totalsOf } from "../../src/planner/loads.ts";
import { createPlanner } from "../../src/planner/planner.ts";
import { plainProblem } from "../support/problems.ts";
import { Random } from "../support/random.ts";

const limits = { numCtas: 6, decodeRows: 16, prefillRows: 128, decodeKvTile: 64, prefillKvTile: 64, prefillCtas: 0 };

describe("explainPlan", () => {
  const planner = createPlanner({ numQoHeads: 8, numKvHeads: 2, headDimVo: 64, causal: true, windowLeft: 999, limits });
  const plan = planner.plan(plainProblem(new Random(3), [1, 100, 1], [5000, 300, 40], 16));
  const { text, svg } = explainPlan(plan, planner.config);

  it("says the batch, the tiles, the items and the balance", () => {
    assert.match(text, /^3 requests, 102 query tokens, 8 query heads over 2 KV heads \(group 4\), pages of 16$/m);
    assert.match(text, /^masks: causal, window of 999 back$/m);
    assert.match(text, /^tiles: 6 \(3 decode of up to 16 rows, 3 prefill of up to 128\)$/m);
    assert.match(text, new RegExp(`^work items: ${plan.numWorkItems} on 6 of 6 CTAs$`, "m"));
    assert.match(text, new RegExp(`workspace ${plan.workspaceBytes} bytes`));
    const totals = totalsOf(loadsOfPlan(plan, planner.config));
    assert.match(text, new RegExp(`most ${Math.max(...totals)} `));
  });

  it("draws one rectangle an item, inside of the picture, none upon another", () => {
    const bars = [
      ...svg.matchAll(
        /<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="hsl[^>]*><title>CTA (\d+), item (\d+):/g,
      ),
    ];
    assert.equal(bars.length, plan.numWorkItems);
    const floor = new Map<string, number>();
    bars.forEach(([, x, y, width, height, cta, item], i) => {
      assert.equal(Number(item), i);
      assert.ok(
        Number(x) >= 0 && Number(x) + Number(width) <= 960 && Number(y) >= 0 && Number(y) + Number(height) <= 360,
      );
      const below = floor.get(cta);
      if (below !== undefined) assert.ok(Number(y) + Number(height) <= below + 0.02);
      floor.set(cta, Number(y));
    });
    assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[\s\S]*<\/svg>\n$/);
  });

  it("explains an empty batch", () => {
    const { text, svg } = explainPlan(planner.plan(plainProblem(new Random(3), [], [], 16)), planner.config);
    assert.match(text, /^work items: 0 on 0 of 6 CTAs$/m);
    assert.doesNotMatch(svg, /NaN|Infinity/);
  });
});
