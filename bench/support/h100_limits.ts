/** What `fp_attention_limits` gives on an H100 for 8 KV heads of 128 columns, four query heads each: to plan as there on any machine. */
export const H100_LIMITS = {
  numCtas: 264,
  decodeRows: 16,
  prefillRows: 128,
  decodeKvTile: 64,
  prefillKvTile: 128,
  prefillCtas: 132,
  readsStarts: true,
};
