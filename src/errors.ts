/**
 * Everything flashpage throws on purpose. Messages say what was attempted, the values, and what to do.
 *
 * @module
 */

/** Base of all errors of this library. */
export class FlashpageError extends Error {
  /** Same as the class name: survives minification and structured logs. */
  readonly code: string;

  /** `cause`: the error behind this one. */
  constructor(message: string, options?: { cause?: unknown; code?: string }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = options?.code ?? "FlashpageError";
    this.name = this.code;
  }
}

/** An argument is wrong: a shape, a length, a value. */
export class InvalidArgumentError extends FlashpageError {
  /** See {@linkcode FlashpageError}. */
  constructor(message: string, options?: { cause?: unknown; code?: string }) {
    super(message, { code: "InvalidArgumentError", ...options });
  }
}

/** An object was used after it was disposed. */
export class DisposedError extends FlashpageError {
  /** See {@linkcode FlashpageError}. */
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, { ...options, code: "DisposedError" });
  }
}

/** A page id is out of range, free, freed twice, or there are too few pages. */
export class PageError extends FlashpageError {
  /** See {@linkcode FlashpageError}. */
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, { ...options, code: "PageError" });
  }
}

/** More was asked than the capacities declared for a graph. */
export class CapacityError extends FlashpageError {
  /** See {@linkcode FlashpageError}. */
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, { ...options, code: "CapacityError" });
  }
}

/** The device has no room for an allocation. */
export class OutOfMemoryError extends FlashpageError {
  /** See {@linkcode FlashpageError}. */
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, { ...options, code: "OutOfMemoryError" });
  }
}

/** A dtype, head dim or feature that the device does not have. */
export class NotSupportedError extends FlashpageError {
  /** See {@linkcode FlashpageError}. */
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, { ...options, code: "NotSupportedError" });
  }
}

/** No driver, or no device of that kind. */
export class UnavailableError extends FlashpageError {
  /** See {@linkcode FlashpageError}. */
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, { ...options, code: "UnavailableError" });
  }
}

/** The device or its driver failed. */
export class DeviceError extends FlashpageError {
  /** See {@linkcode FlashpageError}. */
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, { ...options, code: "DeviceError" });
  }
}

/** The native library could not be found, verified or opened. */
export class NativeLoadError extends FlashpageError {
  /** See {@linkcode FlashpageError}. */
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, { ...options, code: "NativeLoadError" });
  }
}
