import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TextPrinter } from "../../examples/model/stream_text.ts";

describe("TextPrinter", () => {
  it("shows texts one after another, whatever the order in which they grow", () => {
    let shown = "";
    const printer = new TextPrinter(["A", "B", "C"], (text) => void (shown += text));
    printer.add(0, "a1");
    printer.add(2, "c1");
    printer.add(1, "b1");
    assert.equal(shown, "A\na1");
    printer.end(2);
    printer.add(0, "a2");
    printer.end(0);
    assert.equal(shown, "A\na1a2\n\nB\nb1");
    printer.add(1, "b2");
    printer.end(1);
    assert.equal(shown, "A\na1a2\n\nB\nb1b2\n\nC\nc1\n\n");
  });
});
