/**
 * A plan on the device: its words and page ids in one buffer, and the workspace its partial rows go to.
 *
 * Uploads are in stream order, so a launch that was enqueued reads the plan it was enqueued with. A buffer that got too small is
 * replaced; work under way keeps the old one until it is done.
 *
 * @module
 */
import type { Device } from "../device/device.ts";
import type { Stream } from "../device/stream.ts";
import type { Tensor } from "../device/tensor.ts";

/** What an upload needs of a plan. */
export interface UploadablePlan {
  /** Words of the host's part. */
  readonly words: Int32Array<ArrayBuffer>;
  /** `numPlanWords` of `words` go up; page ids go to `kvIndicesOffset`; the buffer has `numWords`. */
  readonly layout: { readonly numPlanWords: number; readonly kvIndicesOffset: number; readonly numWords: number };
  /** Arrays of page ids, one after another. */
  readonly kvIndices: readonly Int32Array[];
  /** How many of each array. */
  readonly kvIndexCounts: readonly number[];
  readonly workspaceBytes: number;
}

/** Device memory of one attention's plans. */
export class PlanBuffer implements Disposable {
  readonly #device: Device;
  #words: Tensor | undefined;
  #workspace: Tensor | undefined;
  #kvIndicesOffset = 0;

  /** Nothing is allocated before the first upload. */
  constructor(device: Device) {
    this.#device = device;
  }

  /** Address of the plan's header. */
  get planAddress(): number {
    return this.#words?.address ?? 0;
  }

  /** Bytes of the plan buffer, page ids included. */
  get planBytes(): number {
    return this.#words?.byteLength ?? 0;
  }

  /** Address of the first page id; 0 if there is no room for any. */
  get kvIndicesAddress(): number {
    return this.#words === undefined || 4 * this.#kvIndicesOffset >= this.#words.byteLength
      ? 0
      : this.#words.address + 4 * this.#kvIndicesOffset;
  }

  /** Address of the workspace; 0 if none is needed. */
  get workspaceAddress(): number {
    return this.#workspace?.address ?? 0;
  }

  /** Bytes of the workspace. */
  get workspaceBytes(): number {
    return this.#workspace?.byteLength ?? 0;
  }

  /** Makes room for a plan that the device writes. @returns the plan's words. */
  reserve({ numWords, kvIndicesOffset }: UploadablePlan["layout"], workspaceBytes: number): Tensor {
    this.#words = this.#grow(this.#words, numWords);
    if (workspaceBytes > 0) this.#workspace = this.#grow(this.#workspace, workspaceBytes / 4);
    this.#kvIndicesOffset = kvIndicesOffset;
    return this.#words;
  }

  /** Enqueues the copy of a plan, after making room for it. */
  upload(plan: UploadablePlan, stream: Stream): void {
    const { numPlanWords, kvIndicesOffset } = plan.layout;
    const { address } = this.reserve(plan.layout, plan.workspaceBytes);
    const { native } = this.#device;
    native.check(native.fp_memory_upload(stream.handle, address, plan.words, 4 * numPlanWords), "upload a plan");
    let offset = kvIndicesOffset;
    for (let i = 0; i < plan.kvIndices.length; i++) {
      const count = plan.kvIndexCounts[i];
      if (count > 0) {
        native.check(
          native.fp_memory_upload(stream.handle, address + 4 * offset, plan.kvIndices[i], 4 * count),
          "upload page ids",
        );
      }
      offset += count;
    }
  }

  /** The first words, once the work enqueued before has ended. */
  async read(numWords: number, stream: Stream): Promise<Int32Array<ArrayBuffer>> {
    if (this.#words === undefined) return new Int32Array(0);
    return await this.#words.slice(0, numWords).read(stream) as Int32Array<ArrayBuffer>;
  }

  #grow(tensor: Tensor | undefined, numWords: number): Tensor {
    if (tensor !== undefined && tensor.numElements >= numWords) return tensor;
    const grown = this.#device.tensor([numWords], "i32");
    tensor?.dispose();
    return grown;
  }

  /** Gives the memory back once work under way is done. A second call does nothing. */
  dispose(): void {
    this.#words?.dispose();
    this.#workspace?.dispose();
  }

  /** Same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
