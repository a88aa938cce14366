/**
 * Compiles mod.ts to dist/: JavaScript and declarations for everyone who can't load TypeScript from a package (Deno, Node's tools, tsc).
 *
 *   deno task package                 of this repository
 *   deno task package --root FOLDER   of a copy of the package's files
 */
import ts from "typescript";

const at = Deno.args.indexOf("--root");
const root = at < 0 ? new URL("..", import.meta.url).pathname.replace(/\/$/, "") : Deno.args[at + 1];
const out = `${root}/dist`;

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ["lib.esnext.d.ts", "lib.dom.d.ts"],
  types: [],
  strict: true,
  noImplicitOverride: true,
  erasableSyntaxOnly: true,
  isolatedModules: true,
  rewriteRelativeImportExtensions: true,
  declaration: true,
  rootDir: root,
  outDir: out,
};

const program = ts.createProgram([`${root}/mod.ts`], options);
const diagnostics = ts.getPreEmitDiagnostics(program);
if (diagnostics.length > 0) {
  console.error(ts.formatDiagnostics(diagnostics, {
    getCurrentDirectory: () => root,
    getCanonicalFileName: (name) => name,
    getNewLine: () => "\n",
  }));
  Deno.exit(1);
}
// A file that a source no longer makes must not stay in the package.
try {
  Deno.removeSync(out, { recursive: true });
} catch (error) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
program.emit();
