/** Bad input must be refused by a typed error that names the values. */
import assert from "node:assert/strict";
import type { FlashpageError } from "../../mod.ts";

type ErrorClass = new (message: string) => FlashpageError;

function expect(kind: ErrorClass, message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof kind, `expected ${kind.name}, got ${error}`);
    assert.equal(error.code, error.name);
    assert.match(error.message, message);
    return true;
  };
}

/** Asserts that a call throws an error of a class with a message. */
export function assertRefused(kind: ErrorClass, message: RegExp, call: () => unknown): void {
  assert.throws(call, expect(kind, message));
}

/** Asserts that a promise is rejected so. */
export async function assertRejected(kind: ErrorClass, message: RegExp, call: () => Promise<unknown>): Promise<void> {
  await assert.rejects(call, expect(kind, message));
}
