/**
 * Waiting for native work without blocking the event loop.
 *
 * @module
 */

interface Timers {
  setImmediate?: (callback: () => void) => unknown;
}

const { setImmediate: immediate } = globalThis as unknown as Timers;

/** How long to poll at every turn of the event loop, before going over to one poll a millisecond (which leaves the cores to the work). */
const EAGER_MILLISECONDS = 0.3;

/** Resolves when `isDone` returns true; rejects with what it throws. */
export async function pollUntil(isDone: () => boolean): Promise<void> {
  if (isDone()) return;
  const start = performance.now();
  do {
    const eager = immediate !== undefined && performance.now() - start < EAGER_MILLISECONDS;
    await new Promise<void>((resolve) => void (eager ? immediate(resolve) : setTimeout(resolve, 1)));
  } while (!isDone());
}
