/**
 * Units that are cut into equal pieces: where their lengths differ, by one step.
 *
 * @module
 */

/** Pieces of a unit, the fewest of which none is longer than `longest` steps. */
export function numPiecesOf(steps: number, longest: number): number {
  return steps <= longest ? 1 : Math.ceil(steps / longest);
}

/** The step at which a piece of a unit begins; of piece `numPieces`, the unit's end. */
export function stepOfPiece(steps: number, numPieces: number, piece: number): number {
  return Math.floor(piece * steps / numPieces);
}
