/**
 * Draws the load of each CTA.
 *
 * @module
 */
import { type ItemLoad, totalsOf } from "./loads.ts";

const WIDTH = 960;
const HEIGHT = 360;
const LEFT = 84;
const TOP = 40;
const BOTTOM = 40;

/** What the height of a bar means. */
export interface LoadCaption {
  /** A quantity and its unit. */
  readonly what: string;
  /** Digits behind the point. */
  readonly digits: number;
}

/**
 * A bar a CTA, from left to right; its items from the bottom up, in the order they run. Items of one tile have one colour; prefill
 * items have an outline. The dashed line is the mean: a balanced plan ends at it everywhere.
 *
 * @param scale a cost that the picture has room for at least, so that pictures of one height can be compared.
 * @param caption what the height means, if not the predicted cost, and how many digits of it to write behind the point.
 */
export function drawLoads(
  loads: readonly (readonly ItemLoad[])[],
  title: string,
  scale = 1,
  { what, digits }: LoadCaption = { what: "predicted cost, in KV tokens of a decode tile", digits: 0 },
): string {
  const totals = totalsOf(loads);
  const max = totals.reduce((a, b) => Math.max(a, b), 0);
  const mean = totals.reduce((a, b) => a + b, 0) / Math.max(1, totals.length);
  const plotHeight = HEIGHT - TOP - BOTTOM;
  const barWidth = (WIDTH - LEFT - 16) / Math.max(1, loads.length);
  const height = 1.05 * Math.max(max, scale);
  const yOf = (cost: number): number => TOP + plotHeight * (1 - cost / height);
  const bars: string[] = [];
  loads.forEach((items, cta) => {
    let cost = 0;
    for (const { item, tile, tileClass, kvTokens, cost: added } of items) {
      const [y, bottom] = [yOf(cost + added), yOf(cost)];
      cost += added;
      // Neighbouring tiles get hues far apart (steps of the golden angle).
      const hue = Math.round(tile * 137.508 % 360);
      const outline = tileClass === "prefill" ? ' stroke="#333" stroke-width="0.5"' : "";
      const tip = `CTA ${cta}, item ${item}: ${tileClass} tile ${tile}, ${kvTokens} KV tokens, cost ${
        Number(added.toFixed(3))
      }`;
      bars.push(
        `<rect x="${number(LEFT + cta * barWidth)}" y="${number(y)}" width="${
          number(Math.max(0.5, barWidth * 0.92))
        }" height="${number(Math.max(0.2, bottom - y))}" ` +
          `fill="hsl(${hue},55%,62%)"${outline}><title>${tip}</title></rect>`,
      );
    }
  });
  const meanY = number(yOf(mean));
  const text = (x: number, y: number, content: string, anchor = "start"): string =>
    `<text x="${x}" y="${y}" font-family="sans-serif" font-size="12" text-anchor="${anchor}" fill="#222">${content}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 24, title),
    ...bars,
    `<line x1="${LEFT}" x2="${WIDTH - 16}" y1="${meanY}" y2="${meanY}" stroke="#c00" stroke-dasharray="6 4"/>`,
    text(LEFT - 8, Number(meanY) + 4, `mean ${mean.toFixed(digits)}`, "end"),
    text(LEFT - 8, Number(number(yOf(0))) + 4, "0", "end"),
    text(
      LEFT,
      HEIGHT - 14,
      `CTA 0 to ${Math.max(0, loads.length - 1)}; height: ${what}; most ${max.toFixed(digits)}`,
    ),
    "</svg>",
    "",
  ].join("\n");
}

/** Pictures of `drawLoads` one below the other, as one. */
export function stackPictures(pictures: readonly string[]): string {
  const height = pictures.length * HEIGHT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">`,
    ...pictures.map((picture, i) => `<g transform="translate(0 ${i * HEIGHT})">\n${picture}</g>`),
    "</svg>",
    "",
  ].join("\n");
}

function number(value: number): string {
  return value.toFixed(2);
}
