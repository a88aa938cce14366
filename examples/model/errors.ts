/** What the model files of the examples throw on purpose. */
import { FlashpageError } from "../../mod.ts";

/** A model file is damaged, or holds something these examples can't run. */
export class ModelError extends FlashpageError {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, { ...options, code: "ModelError" });
  }
}
