/** NVRTC through Deno.dlopen: CUDA C++ to cubin and PTX, on a machine without a GPU. */

const SYMBOLS = {
  nvrtcCreateProgram: { parameters: ["buffer", "buffer", "buffer", "i32", "pointer", "pointer"], result: "i32" },
  nvrtcCompileProgram: { parameters: ["pointer", "i32", "buffer"], result: "i32" },
  nvrtcGetCUBINSize: { parameters: ["pointer", "buffer"], result: "i32" },
  nvrtcGetCUBIN: { parameters: ["pointer", "buffer"], result: "i32" },
  nvrtcGetPTXSize: { parameters: ["pointer", "buffer"], result: "i32" },
  nvrtcGetPTX: { parameters: ["pointer", "buffer"], result: "i32" },
  nvrtcGetProgramLogSize: { parameters: ["pointer", "buffer"], result: "i32" },
  nvrtcGetProgramLog: { parameters: ["pointer", "buffer"], result: "i32" },
} as const;

/** What one compilation gives. */
export interface Compiled {
  cubin: Uint8Array<ArrayBuffer>;
  ptx: Uint8Array<ArrayBuffer>;
  /** The compiler's words, with registers and spills of each kernel. */
  log: string;
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text + "\0");
}

/** Compiles one unit. @throws {Error} with the compiler's log. */
export function compile(library: string, name: string, source: string, options: readonly string[]): Compiled {
  const { symbols } = Deno.dlopen(library, SYMBOLS);
  const slot = new BigUint64Array(1);
  const check = (status: number, what: string): void => {
    if (status !== 0) throw new Error(`${what} failed with NVRTC status ${status}`);
  };
  check(symbols.nvrtcCreateProgram(slot, cString(source), cString(name), 0, null, null), "nvrtcCreateProgram");
  const program = Deno.UnsafePointer.create(slot[0]);
  const texts = options.map(cString);
  const pointers = new BigUint64Array(texts.map((text) => Deno.UnsafePointer.value(Deno.UnsafePointer.of(text))));
  const status = symbols.nvrtcCompileProgram(program, options.length, pointers);
  const bytesOf = (size: typeof symbols.nvrtcGetPTXSize, get: typeof symbols.nvrtcGetPTX): Uint8Array<ArrayBuffer> => {
    check(size(program, slot), "reading a size");
    const bytes = new Uint8Array(Number(slot[0]));
    check(get(program, bytes), "reading a result");
    return bytes;
  };
  const log = new TextDecoder().decode(bytesOf(symbols.nvrtcGetProgramLogSize, symbols.nvrtcGetProgramLog)).replace(
    /\0+$/,
    "",
  );
  if (status !== 0) throw new Error(`${name} does not compile (${texts.length} options: ${options.join(" ")})\n${log}`);
  return {
    cubin: bytesOf(symbols.nvrtcGetCUBINSize, symbols.nvrtcGetCUBIN),
    ptx: bytesOf(symbols.nvrtcGetPTXSize, symbols.nvrtcGetPTX),
    log,
  };
}
