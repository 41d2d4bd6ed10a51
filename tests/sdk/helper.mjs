// @imtbl/minting-backend drains its queue into the server: what conflicts is marked, the others are put back and minted.

import { recordMint, submitMintingRequests } from '@imtbl/minting-backend';

import { memory } from './memory.mjs';
import { assert, chainName, client, mint, player, reference, stage, succeeded } from './stage.mjs';

const silent = { info() {}, error() {}, warn() {}, debug() {} };

const wishFor = (collection, index) => ({
  asset_id: reference(`helper ${collection.address} ${index}`),
  contract_address: collection.address,
  owner_address: player(),
  metadata: { name: `Drained ${index}` },
  token_id: collection.ways.includes('quantity') ? null : `${900 + index}`,
  amount: collection.ways.includes('amounts') ? 3 : null,
});

const store = memory();
const used = [];
for (const collection of stage.collections) {
  const wishes = [0, 1, 2, 3].map((index) => wishFor(collection, index));
  // Somebody used the first reference before.
  const { asset_id: id, owner_address: owner, token_id: tokenId, amount } = wishes[0];
  await mint(collection, [{ reference_id: id, owner_address: owner, token_id: tokenId, amount: amount && `${amount}`, metadata: null }]);
  used.push(id);
  for (const wish of wishes) await recordMint(store, wish);
}

await submitMintingRequests(store, client, { defaultBatchSize: 1000, chainName }, silent, 3);

for (const [id, row] of store.rows) {
  assert.equal(row.status, used.includes(id) ? 'conflicting' : 'submitted', `${id}: ${JSON.stringify(row)}`);
  assert.equal(row.tried_count, 0, 'nothing was tried blindly');
}
for (const collection of stage.collections) {
  for (const index of [0, 1, 2, 3]) {
    const record = await succeeded(collection, reference(`helper ${collection.address} ${index}`));
    if (collection.ways.includes('amounts')) assert.equal(record.amount, '3');
  }
}
console.log(`${store.rows.size} wishes drained, ${used.length} conflicts`);
