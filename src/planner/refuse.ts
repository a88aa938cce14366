/**
 * What is wrong with a batch that was refused, told to people. The planner's fast checks only say that something is.
 *
 * @module
 */
import { InvalidArgumentError, NotSupportedError } from "../errors.ts";
import { checkPageTable, type PageTable } from "../formats/page_table.ts";
import { checkIndptr } from "../formats/ragged.ts";
import type { AttentionProblem } from "./problem.ts";

/** Refuses a custom mask whose length is not that of its request. */
export function checkMask(maskIndptr: Int32Array, request: number, qoLen: number, kvLen: number): void {
  const numBytes = maskIndptr[request + 1] - maskIndptr[request];
  const needed = Math.ceil(qoLen * kvLen / 8);
  if (numBytes === 0 || (maskIndptr[request] >= 0 && numBytes === needed)) return;
  throw new InvalidArgumentError(
    `Cannot plan: the custom mask of request ${request} is ${numBytes} bytes from byte ${
      maskIndptr[request]
    }. ${qoLen} queries x ${kvLen} keys are ${needed} bytes; ` +
      "pass so many, or none for a request without a mask.",
  );
}

/** Requests that share rows, in a batch-invariant plan. */
export function refuseLevels(): never {
  throw new NotSupportedError(
    "Cannot plan: the batch has levels, with batchInvariant. Requests that share a level are computed together, so that one depends on the " +
      "other. Pass pages, one row for each request (they may name the same pages), or create the attention without batchInvariant.",
  );
}

/** Custom masks beside a queue, in a batch-invariant plan. */
export function refuseMasks(): never {
  throw new NotSupportedError(
    "Cannot plan: the batch has custom masks, with batchInvariant, on a GPU that has another kernel for prefill with masks. One request's mask " +
      "would change how all others are computed. Plan without masks, or create the attention without batchInvariant.",
  );
}

/** A problem whose parts do not go together: says which. */
export function refuseProblem({ qoIndptr, pages, levels, maskIndptr }: AttentionProblem): never {
  if (qoIndptr.length === 0) {
    throw new InvalidArgumentError("Cannot plan: qoIndptr is empty. It needs one entry more than requests.");
  }
  if (maskIndptr !== undefined && maskIndptr.length !== qoIndptr.length) {
    throw new InvalidArgumentError(
      `Cannot plan: maskIndptr has ${maskIndptr.length} entries for ${
        qoIndptr.length - 1
      } requests. It needs one entry more than requests.`,
    );
  }
  if (levels?.length === 0 && pages === undefined) {
    throw new InvalidArgumentError("Cannot plan: there are no levels. Pass at least one.");
  }
  const given = pages !== undefined && levels !== undefined ? "both are given" : "neither is";
  throw new InvalidArgumentError(`Cannot plan: pass either pages or levels; ${given}.`);
}

/** A page table that does not fit the batch, or is none: says where. */
export function refusePages(qoIndptr: Int32Array, pages: PageTable): never {
  checkIndptr("qoIndptr", qoIndptr);
  checkPageTable(pages);
  if (pages.lastPageLen.length !== qoIndptr.length - 1) {
    throw new InvalidArgumentError(
      `Cannot plan: qoIndptr is of ${
        qoIndptr.length - 1
      } requests, the page table has ${pages.lastPageLen.length} rows. Pass one row a request.`,
    );
  }

  throw new InvalidArgumentError("Cannot plan: a request has 2^30 KV tokens or more.");
}
