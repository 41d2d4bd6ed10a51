// Each change of a mint request reaches a receiver, signed, and processMint of @imtbl/minting-backend takes it as it is.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

import { processMint, recordMint } from '@imtbl/minting-backend';

import { memory } from './memory.mjs';
import { assert, mint, player, reference, stage, succeeded, until } from './stage.mjs';

const silent = { info() {}, error() {}, warn() {}, debug() {} };
const received = [];

const receiver = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  received.push({ body: Buffer.concat(parts), signature: request.headers['x-immutable-signature'] });
  response.end();
});
receiver.listen(0, '127.0.0.1');
await once(receiver, 'listening');

const created = await fetch(`${stage.baseUrl}/api/webhooks`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', 'x-api-key': stage.manager.key },
  body: JSON.stringify({
    url: `http://127.0.0.1:${receiver.address().port}/hook`,
    environmentId: stage.environment,
    scheme: 'immutable',
    walletVerification: { verificationType: 'PINCODE', secretVerificationCode: stage.manager.pin },
  }),
});
assert.equal(created.status, 200, await created.clone().text());
const { secret } = await created.json();

const store = memory();
const wishes = [];
for (const collection of stage.collections) {
  const amounts = collection.ways.includes('amounts');
  const wish = {
    asset_id: reference(`told ${collection.address}`),
    contract_address: collection.address,
    owner_address: player(),
    token_id: collection.ways.includes('quantity') ? null : '5000',
    amount: amounts ? 3 : null,
  };
  await recordMint(store, wish);
  await mint(collection, [{
    reference_id: wish.asset_id, owner_address: wish.owner_address, token_id: wish.token_id, amount: amounts ? '3' : null,
    metadata: { name: 'Told' },
  }]);
  wishes.push({ collection, wish });
}

const ours = () => received
  .map(({ body, signature }) => ({ body, signature, event: JSON.parse(body) }))
  .filter(({ event }) => wishes.some(({ wish }) => wish.asset_id === event.data.reference_id));
await until('every change to be told', () => (ours().length >= 2 * wishes.length ? true : null));

for (const { body, signature, event } of ours()) {
  for (const signed of [body, JSON.stringify(event)]) {
    const expected = createHmac('sha256', secret).update(signed).digest();
    assert.ok(timingSafeEqual(Buffer.from(signature, 'hex'), expected), 'the signature is that of the body');
  }
  assert.equal(event.event_name, 'imtbl_zkevm_mint_request_updated');
  await processMint(store, event, silent);
}
assert.equal(new Set(ours().map(({ event }) => event.event_id)).size, ours().length, 'each event has an id of its own');

for (const { collection, wish } of wishes) {
  const record = await succeeded(collection, wish.asset_id);
  const last = ours().map(({ event }) => event).filter(({ data }) => data.reference_id === wish.asset_id && data.status === 'succeeded');
  assert.equal(last.length, 1);
  const [{ data }] = last;
  assert.equal(data.contract_address.toLowerCase(), collection.address.toLowerCase());
  assert.equal(data.collection_address, data.contract_address);
  assert.equal(data.token_id, record.token_id);
  assert.equal(data.transaction_hash, record.transaction_hash);
  assert.equal(data.amount ?? null, collection.ways.includes('amounts') ? 3 : data.amount ?? null);
  const { synced } = store.rows.get(wish.asset_id);
  assert.ok(synced, `${wish.asset_id} was taken by processMint`);
  assert.equal(synced.contractAddress.toLowerCase(), collection.address.toLowerCase());
}
receiver.close();
receiver.closeAllConnections();
console.log(`${ours().length} events told and taken`);
