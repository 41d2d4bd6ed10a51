// Compiles src/*.sol and writes artifacts/NAME.json, or with --check compares them byte for byte with what is there.
//
// Nothing outside this folder has a say: the compiler is the pinned `solc` from npm, imports come from node_modules,
// and the metadata's hash, which would depend on comments and paths, is left out of the bytecode.

import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const ROOT = dirname(fileURLToPath(import.meta.url));
const SOURCES = join(ROOT, "src");
const ARTIFACTS = join(ROOT, "artifacts");
// What is deployed or called; abstract contracts and libraries are inside these.
const CONTRACTS = ["MoneyerERC1155", "MoneyerERC721", "MoneyerFactory", "MoneyerIdentityRegistry", "MoneyerToken"];

const settings = {
  evmVersion: "cancun",
  // Minting is what is paid for, over and over; deploying happens once.
  optimizer: { enabled: true, runs: 10_000 },
  metadata: { bytecodeHash: "none" },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};

function read(path) {
  const file = join(ROOT, "node_modules", path);
  return existsSync(file) ? { contents: readFileSync(file, "utf8") } : { error: `${path} is not in node_modules` };
}

function compile() {
  const names = readdirSync(SOURCES).filter((name) => name.endsWith(".sol")).sort();
  const sources = Object.fromEntries(
    names.map((name) => [name, { content: readFileSync(join(SOURCES, name), "utf8") }]),
  );
  const input = JSON.stringify({ language: "Solidity", sources, settings });
  const output = JSON.parse(solc.compile(input, { import: read }));

  const remarks = (output.errors ?? []).map((remark) => remark.formattedMessage);
  if (remarks.length > 0) {
    console.error(remarks.join("\n"));
    process.exit(1);
  }
  return output.contracts;
}

// One line per function, event and error of the ABI, so that a change of the interface is seen in review.
function render(name, contract) {
  const abi = contract.abi.map((entry) => `    ${JSON.stringify(entry)}`).join(",\n");
  return [
    "{",
    `  "contractName": ${JSON.stringify(name)},`,
    `  "abi": [\n${abi}\n  ],`,
    `  "bytecode": "0x${contract.evm.bytecode.object}",`,
    `  "deployedBytecode": "0x${contract.evm.deployedBytecode.object}"`,
    "}\n",
  ].join("\n");
}

const check = process.argv.includes("--check");
const compiled = compile();
const differing = [];

for (const name of CONTRACTS) {
  const file = join(ARTIFACTS, `${name}.json`);
  const text = render(name, compiled[`${name}.sol`][name]);
  if (!check) {
    writeFileSync(file, text);
  } else if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
    differing.push(file);
  }
}

const strangers = readdirSync(ARTIFACTS).filter((file) => !CONTRACTS.includes(basename(file, ".json")));
differing.push(...strangers.map((file) => join(ARTIFACTS, file)));
if (check && differing.length > 0) {
  console.error(`Not what the sources compile to (npm run build): ${differing.join(", ")}`);
  process.exit(1);
}
