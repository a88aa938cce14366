/** Token ids by llama.cpp for every file of pre_tokenizer_files.py: node pre_tokenizers.mjs FOLDER OUT */
import { readFileSync, writeFileSync } from "node:fs";
import { getLlama } from "node-llama-cpp";

const [folder, out] = process.argv.slice(2);
const { names, texts, tokens, types, merges, versions } = JSON.parse(readFileSync(`${folder}/question.json`, "utf8"));
const { version } = JSON.parse(readFileSync(`${folder}/node_modules/node-llama-cpp/package.json`, "utf8"));
const llama = await getLlama({ gpu: false, build: "never", logLevel: "disabled" });
const ids = {};
for (const name of names) {
  const model = await llama.loadModel({ modelPath: `${folder}/${name}.gguf`, vocabOnly: true });
  ids[name] = texts.map((text) => [...model.tokenize(text, false)]);
  await model.dispose();
}
const made = {
  by: "scripts/golden/pre_tokenizers.mjs: llama.cpp in node-llama-cpp",
  versions: { ...versions, "node-llama-cpp": version, "llama.cpp": llama.llamaCppRelease.release },
};
writeFileSync(`${out}/pre_tokenizers.json`, JSON.stringify({ made, tokens, types, merges, texts, ids }) + "\n");
await llama.dispose();
