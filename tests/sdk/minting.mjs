// Tokens are minted by id, by quantity, as amounts, and by id and quantity in one request; the record tells how.

import { assert, mint, of, client, player, reference, request, stage, succeeded } from './stage.mjs';

const metadata = (name) => ({
  name,
  description: null,
  image: 'https://example.test/image.png',
  attributes: [
    { trait_type: 'power', value: 7, display_type: 'number' },
    { trait_type: 'rare', value: true },
    { trait_type: 'kind', value: 'long' },
  ],
});

/** Assets that this contract can mint, all in one request. */
function assetsFor(collection) {
  const assets = [];
  if (collection.ways.includes('id')) {
    assets.push({ reference_id: reference('by id'), owner_address: player(), token_id: '7', amount: null, metadata: metadata('By id') });
    assets.push({ reference_id: reference('id:2'), owner_address: player(), token_id: '8', amount: '1' });
  }
  if (collection.ways.includes('quantity')) {
    const owner = player();
    assets.push({ reference_id: reference('first given'), owner_address: owner, token_id: null, amount: null, metadata: metadata('Given') });
    assets.push({ reference_id: reference('second given'), owner_address: owner, metadata: null });
  }
  if (collection.ways.includes('amounts')) {
    assets.push({ reference_id: reference('potions'), owner_address: player(), token_id: '1', amount: '1000', metadata: metadata('Potion') });
    assets.push({ reference_id: reference('more'), owner_address: player(), token_id: '1', amount: '5' });
    assets.push({ reference_id: reference('elixirs'), owner_address: player(), token_id: '2', amount: '3' });
  }
  return assets;
}

for (const collection of stage.collections) {
  const assets = assetsFor(collection);
  const quota = await mint(collection, assets);
  for (const name of ['imx_mint_requests_limit', 'imx_remaining_mint_requests']) {
    assert.equal(typeof quota[name], 'string');
    assert.ok(Number.isInteger(Number.parseInt(quota[name], 10)), quota[name]);
  }
  assert.ok(!Number.isNaN(new Date(quota.imx_mint_requests_limit_reset).getTime()), quota.imx_mint_requests_limit_reset);
  assert.match(quota.imx_mint_requests_retry_after, /^\d+(\.\d+)?-seconds$/);

  const transactions = new Set();
  const ids = new Set();
  for (const asset of assets) {
    const accepted = await request(collection, asset.reference_id);
    assert.ok(['pending', 'succeeded'].includes(accepted.status), JSON.stringify(accepted));
    const record = await succeeded(collection, asset.reference_id);
    assert.deepEqual(record.chain, { id: stage.chainId, name: stage.chainName });
    assert.equal(record.collection_address, collection.address.toLowerCase());
    assert.equal(record.owner_address, asset.owner_address.toLowerCase());
    assert.equal(record.error, null);
    assert.match(record.transaction_hash, /^0x[0-9a-f]{64}$/);
    assert.match(record.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.ok(record.updated_at >= record.created_at);
    assert.equal(record.amount, collection.ways.includes('amounts') ? asset.amount : null);
    if (asset.token_id) assert.equal(record.token_id, asset.token_id);
    else assert.ok(BigInt(record.token_id) >= 2n ** 128n, record.token_id);
    assert.ok(Number(record.gas_used) > 0 && Number(record.confirmations) >= 0, JSON.stringify(record));
    transactions.add(record.transaction_hash);
    ids.add(record.token_id);

    const { result: activity } = await client.getActivity({ chainName: stage.chainName, activityId: record.activity_id });
    assert.equal(activity.type, 'mint');
    assert.equal(activity.details.to, asset.owner_address.toLowerCase());
    assert.equal(activity.details.asset.token_id, record.token_id);
    assert.equal(activity.blockchain_metadata.transaction_hash, record.transaction_hash);
    assert.equal(activity.blockchain_metadata.block_number, record.block_number);

    const { result: nft } = await client.getNFT({ ...of(collection), tokenId: record.token_id });
    const shown = asset.metadata ?? (record.token_id === '1' ? metadata('Potion') : { name: null });
    assert.equal(nft.name, shown.name);
    assert.equal(nft.contract_type, collection.contractType);
    assert.ok(Array.isArray(nft.attributes));
    if (shown.attributes) assert.deepEqual(nft.attributes.map(({ value }) => value), [7, true, 'long']);
    const { result: owners } = await client.listNFTOwners({ ...of(collection), tokenId: record.token_id });
    const owned = owners.find(({ account_address: account }) => account === record.owner_address);
    assert.equal(owned.balance, asset.amount ?? '1');
  }
  assert.ok(transactions.size < assets.length || collection.ways.includes('amounts'), 'requests share transactions');
  if (!collection.ways.includes('amounts')) assert.equal(ids.size, assets.length, 'each token has an id of its own');
  console.log(`${collection.contractType} ${collection.ways}: ${assets.length} requests in ${transactions.size} transactions`);
}
