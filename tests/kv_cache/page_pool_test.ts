import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { InvalidArgumentError, PageError } from "../../src/errors.ts";
import { PagePool } from "../../src/kv_cache/page_pool.ts";

describe("PagePool", () => {
  it("hands out each page once", () => {
    const pool = new PagePool(5);
    const pages = [...pool.allocate(3), ...pool.allocate(2)];
    assert.deepEqual([...pages].sort(), [0, 1, 2, 3, 4]);
    assert.equal(pool.numFree, 0);
    assert.equal(pool.numUsed, 5);
  });

  it("takes nothing when too few pages are free", () => {
    const pool = new PagePool(4);
    pool.allocate(3);
    assert.throws(
      () => pool.allocate(2),
      (error: Error) => error instanceof PageError && /2 pages: 1 of 4 are free/.test(error.message),
    );
    assert.equal(pool.numFree, 1);
    pool.checkIntegrity();
  });

  it("keeps a page until its last holder lets go", () => {
    const pool = new PagePool(2);
    const [page] = pool.allocate(1);
    pool.retain([page]);
    assert.equal(pool.release([page]), 0);
    assert.equal(pool.count(page), 1);
    assert.equal(pool.release([page]), 1);
    assert.equal(pool.numFree, 2);
  });

  it("refuses a page freed twice and changes nothing", () => {
    const pool = new PagePool(3);
    const pages = pool.allocate(2);
    pool.release([pages[1]]);
    assert.throws(() => pool.release(pages), /freed twice/);
    assert.equal(pool.count(pages[0]), 1);
    assert.throws(() => pool.release([pages[0], pages[0]]), /freed twice/);
    assert.equal(pool.count(pages[0]), 1);
    pool.checkIntegrity();
  });

  it("refuses pages and sizes out of range, naming them", () => {
    const pool = new PagePool(3);
    for (const bad of [-1, 3, 1.5, NaN]) {
      assert.throws(
        () => pool.release([bad]),
        (error: Error) => error instanceof PageError && error.message.includes(String(bad)),
      );
      assert.throws(() => pool.retain([bad]), PageError);
      assert.throws(() => pool.count(bad), PageError);
    }
    assert.throws(() => pool.retain([0]), /it is free/);
    for (const bad of [0, -1, 1.5, NaN]) assert.throws(() => new PagePool(bad), InvalidArgumentError);
    assert.throws(() => pool.allocate(-1), InvalidArgumentError);
  });

  it("agrees with a plain count of holders under any calls", () => {
    const call = fc.oneof(
      fc.record({ kind: fc.constant("allocate" as const), count: fc.nat(6) }),
      fc.record({ kind: fc.constant("retain" as const), pages: fc.array(fc.nat(11), { maxLength: 4 }) }),
      fc.record({ kind: fc.constant("release" as const), pages: fc.array(fc.nat(11), { maxLength: 4 }) }),
    );
    fc.assert(fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
      const pool = new PagePool(12);
      const model = new Int32Array(12);
      for (const step of calls) {
        const next = model.slice();
        let fails = false;
        if (step.kind === "allocate") {
          fails = step.count > model.filter((n) => n === 0).length;
          if (fails) assert.throws(() => pool.allocate(step.count), PageError);
          else for (const page of pool.allocate(step.count)) assert.equal(next[page]++, 0);
        } else if (step.kind === "retain") {
          fails = step.pages.some((page) => model[page] === 0);
          if (fails) assert.throws(() => pool.retain(step.pages), PageError);
          else {
            pool.retain(step.pages);
            for (const page of step.pages) next[page]++;
          }
        } else {
          for (const page of step.pages) fails ||= --next[page] < 0;
          if (fails) assert.throws(() => pool.release(step.pages), PageError);
          else pool.release(step.pages);
        }
        if (!fails) model.set(next);
        pool.checkIntegrity(model);
      }
    }));
  });
});
