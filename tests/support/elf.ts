/** Reads from a 64-bit little-endian ELF library what it exports and which versions of the system's libraries it needs. */

/** What a library says to the dynamic linker. */
export interface ElfFacts {
  /** Names of defined dynamic symbols, sorted. */
  exports: string[];
  /** For example "GLIBC_2.17". */
  versions: string[];
  /** For example "libc.so.6". */
  needed: string[];
}

/** @throws {Error} if the bytes are no such library. */
export function readElf(bytes: Uint8Array): ElfFacts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) {
    throw new Error("no 64-bit little-endian ELF file");
  }
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));
  const u32 = (at: number): number => view.getUint32(at, true);
  const u16 = (at: number): number => view.getUint16(at, true);
  const sections = Array.from({ length: u16(60) }, (_, i) => {
    const at = u64(40) + i * u16(58);
    return { type: u32(at + 4), offset: u64(at + 24), size: u64(at + 32), link: u32(at + 40), count: u32(at + 44) };
  });
  const textAt = (at: number): string => {
    let end = at;
    while (bytes[end] !== 0) end++;
    return new TextDecoder().decode(bytes.subarray(at, end));
  };
  const [DYNAMIC, DYNSYM, VERNEED] = [6, 11, 0x6ffffffe];
  const found: ElfFacts = { exports: [], versions: [], needed: [] };
  for (const { type, offset, size, link, count } of sections) {
    const strings = sections[link]?.offset;
    if (type === DYNSYM) {
      for (let at = offset + 24; at < offset + size; at += 24) {
        const [isDefined, isLocal] = [u16(at + 6) !== 0, bytes[at + 4] >> 4 === 0];
        if (isDefined && !isLocal) found.exports.push(textAt(strings + u32(at)));
      }
    } else if (type === DYNAMIC) {
      for (let at = offset; at < offset + size; at += 16) {
        if (u64(at) === 1) found.needed.push(textAt(strings + u64(at + 8)));
      }
    } else if (type === VERNEED) {
      for (let at = offset, i = 0; i < count; at += u32(at + 12), i++) {
        for (let entry = at + u32(at + 8), j = 0; j < u16(at + 2); entry += u32(entry + 12), j++) {
          found.versions.push(textAt(strings + u32(entry + 8)));
        }
      }
    }
  }
  found.exports.sort();
  return found;
}
