/** How many random plans a property is checked with: FLASHPAGE_RANDOM_PLANS, or a few hundred. */
import process from "node:process";

/** Runs of a property that makes so many plans a run. */
export function runs(usual: number, plansPerRun: number): { numRuns: number } {
  const wish = process.env.FLASHPAGE_RANDOM_PLANS;
  return { numRuns: wish === undefined ? usual : Math.ceil(Number(wish) / plansPerRun) };
}
