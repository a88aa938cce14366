import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { InvalidArgumentError } from "../../src/errors.ts";
import { PagePool } from "../../src/kv_cache/page_pool.ts";
import { PrefixTree } from "../../src/kv_cache/prefix_tree.ts";

function filled(
  numPages: number,
  pageSize: number,
): { pool: PagePool; tree: PrefixTree; put: (tokens: number[]) => Int32Array } {
  const pool = new PagePool(numPages);
  const tree = new PrefixTree(pool, pageSize);
  const put = (tokens: number[]): Int32Array => {
    const pages = pool.allocate(Math.floor(tokens.length / pageSize));
    tree.insert(tokens, pages);
    pool.release(pages);
    return pages;
  };
  return { pool, tree, put };
}

function assertWhole(pool: PagePool, tree: PrefixTree): void {
  const holders = new Int32Array(pool.numPages);
  tree.countHolders(holders);
  pool.checkIntegrity(holders);
}

describe("PrefixTree", () => {
  it("gives a match to one sequence only, and refuses what it did not make", () => {
    const { tree, put } = filled(8, 2);
    put([1, 2, 3, 4]);
    const match = tree.match([1, 2, 3, 4]);
    const others = filled(8, 2);
    others.put([1, 2, 3, 4]);
    assert.throws(() => tree.take(others.tree.match([1, 2, 3, 4])), InvalidArgumentError);
    assert.throws(() => tree.take({ ...match }), /Match again for each sequence/);
    tree.take(match);
    assert.throws(() => tree.take(match), /given to a sequence before/);
  });

  it("refuses tokens that are no ids, and stays whole", () => {
    const { pool, tree, put } = filled(8, 2);
    const pages = put([1, 2, 3, 4]);
    for (const bad of [1.5, -1, NaN, 2 ** 31]) {
      assert.throws(() => tree.insert([1, 2, 3, bad], pages), new RegExp(`token 3 is ${bad}`));
      assert.throws(() => tree.match([bad, 2]), /token 0 is/);
    }
    assertWhole(pool, tree);
  });

  it("finds the longest prefix in whole pages", () => {
    const { pool, tree, put } = filled(8, 2);
    const pages = put([1, 2, 3, 4, 5, 6, 7]);
    assert.equal(tree.numPages, 3);
    const match = tree.match([1, 2, 3, 4, 9, 9]);
    assert.equal(match.numTokens, 4);
    assert.deepEqual([...match.pages], [...pages.subarray(0, 2)]);
    assert.equal(pool.count(pages[0]), 2);
    assert.equal(tree.match([1, 9]).numTokens, 0);
    assert.equal(tree.match([1, 2, 3, 4], 3).numTokens, 2);
  });

  it("shares a common prefix between branches, splitting an edge", () => {
    const { pool, tree, put } = filled(16, 2);
    const first = put([1, 2, 3, 4, 5, 6]);
    const second = put([1, 2, 3, 4, 7, 8, 9, 10]);
    assert.equal(tree.numPages, 5);
    const match = tree.match([1, 2, 3, 4, 7, 8, 9, 10]);
    assert.deepEqual([...match.pages], [first[0], first[1], second[2], second[3]]);
    pool.release(match.pages);
    assertWhole(pool, tree);
  });

  it("evicts the least recently used leaf first, tail pages before head pages", () => {
    const { pool, tree, put } = filled(16, 1);
    put([1, 2, 3]);
    put([5, 6]);
    pool.release(tree.match([1, 2, 3]).pages);
    assert.equal(tree.evict(2), 2);
    assert.equal(tree.match([5, 6]).numTokens, 0);
    assert.equal(tree.evict(1), 1);
    const left = tree.match([1, 2, 3]);
    assert.equal(left.numTokens, 2);
    pool.release(left.pages);
    assertWhole(pool, tree);
  });

  it("never evicts a page that somebody else holds", () => {
    const { pool, tree, put } = filled(8, 2);
    put([1, 2, 3, 4]);
    const held = tree.match([1, 2]);
    assert.equal(tree.evict(10), 1);
    assert.equal(tree.match([1, 2]).numTokens, 2);
    pool.release(held.pages);
    assert.equal(pool.numUsed, 1);
  });

  it("lets go of everything on clear", () => {
    const { pool, tree, put } = filled(8, 2);
    put([1, 2, 3, 4]);
    put([1, 2, 5, 6]);
    tree.clear();
    assert.equal(tree.numPages, 0);
    assert.equal(pool.numUsed, 0);
  });

  it("refuses too few pages", () => {
    const { tree } = filled(8, 2);
    assert.throws(
      () => tree.insert([1, 2, 3, 4], [0]),
      (error: Error) => error instanceof InvalidArgumentError && /fills 2 pages/.test(error.message),
    );
    assert.throws(() => new PrefixTree(new PagePool(1), 0), InvalidArgumentError);
  });

  it("agrees with a list of inserted prompts under any calls", () => {
    const prompt = fc.array(fc.nat(2), { maxLength: 9 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.tuple(prompt, fc.boolean()), { maxLength: 20 }),
        (pageSize, calls) => {
          const { pool, tree, put } = filled(200, pageSize);
          const inserted: number[][] = [];
          for (const [tokens, isInsert] of calls) {
            if (isInsert) {
              put(tokens);
              inserted.push(tokens);
            } else {
              const match = tree.match(tokens);
              let best = 0;
              for (const other of inserted) {
                const limit = Math.min(Math.floor(other.length / pageSize) * pageSize, tokens.length);
                let n = 0;
                while (n < limit && other[n] === tokens[n]) n++;
                best = Math.max(best, Math.floor(n / pageSize) * pageSize);
              }
              assert.equal(match.numTokens, best);
              pool.release(match.pages);
            }
            assertWhole(pool, tree);
          }
          tree.evict(pool.numPages);
          assert.equal(pool.numUsed, 0);
        },
      ),
    );
  });
});
