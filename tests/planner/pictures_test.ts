/** The pictures of docs/scheduling.md are what the planner of today draws. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { PICTURES_FOLDER, schedulingPictures } from "../../scripts/scheduling_pictures.ts";
import { readText, ROOT } from "../support/paths.ts";

describe("scheduling pictures", () => {
  const pictures = schedulingPictures();

  it("are committed as the script makes them", () => {
    const committed = readdirSync(`${ROOT}/${PICTURES_FOLDER}`).filter((name) => name.startsWith("scheduling_"));
    assert.deepEqual(committed.sort(), [...pictures.keys()].sort());
    for (const [name, svg] of pictures) {
      assert.ok(readText(`${PICTURES_FOLDER}/${name}`) === svg, `${name} is stale. Run \`deno task pictures\`.`);
    }
  });

  it("show what docs/scheduling.md says: the largest load and the mean of each", () => {
    const page = readText("docs/scheduling.md");
    for (const [name, svg] of pictures) {
      const [, mean] = svg.match(/>mean (\d+)</)!;
      const [, most] = svg.match(/; most (\d+)</)!;
      const row = page.match(
        new RegExp(`\\(pictures/${name.replace(".", "\\.")}\\)[^\n]*\n+[^\n]*?mean (\\d+), most (\\d+)`),
      );
      assert.ok(row, `docs/scheduling.md does not show ${name} with its mean and most`);
      assert.deepEqual([row[1], row[2]], [mean, most], name);
    }
  });
});
