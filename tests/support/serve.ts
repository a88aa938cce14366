/** A web server on this machine that serves a folder and counts what was asked for. */
import { createServer } from "node:http";
import { existsSync, readFileSync, statSync } from "node:fs";

/** A running server. */
export interface FolderServer extends AsyncDisposable {
  /** For example "127.0.0.1:40123". */
  readonly host: string;
  /** Paths in the order they were asked for. */
  readonly requests: string[];
}

/** Serves a folder on a free port. */
export async function serveFolder(folder: string): Promise<FolderServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    requests.push(path);
    const file = `${folder}${path}`;
    if (path.includes("..") || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    const type = path.endsWith(".ts") ? "application/typescript" : "application/octet-stream";
    response.writeHead(200, { "content-type": type }).end(readFileSync(file));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    host: `127.0.0.1:${port}`,
    requests,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
