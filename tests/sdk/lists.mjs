// Lists: every page once, there and back, also while rows arrive; every filter of the packages.

import { allPages, assert, client, generated, mint, of, player, reference, stage, succeeded } from './stage.mjs';

const { chainName } = stage;
const COUNT = 7;

for (const collection of stage.collections) {
  const owner = player();
  const started = new Date(Date.now() - 1000).toISOString();
  const isAmounts = collection.ways.includes('amounts');
  const wish = (index) => ({
    reference_id: reference(`list ${index}`),
    owner_address: owner,
    token_id: collection.ways.includes('quantity') ? null : `${100 + index}`,
    amount: isAmounts ? '2' : null,
    metadata: { name: `Listed ${index}` },
  });
  const wishes = Array.from({ length: COUNT }, (_, index) => wish(index));
  await mint(collection, wishes);

  // A row that arrives while the list is read changes nothing of what follows.
  const { result: first, page } = await client.listMintRequests({ ...of(collection), pageSize: 3 });
  await mint(collection, [wish(COUNT)]);
  const { result: second } = await client.listMintRequests({ ...of(collection), pageSize: 3, pageCursor: page.next_cursor });
  const names = [...first, ...second].map(({ reference_id: id }) => id);
  assert.equal(new Set(names).size, 6);
  assert.deepEqual(names.slice(0, 3), [6, 5, 4].map((index) => reference(`list ${index}`)));
  assert.deepEqual(names.slice(3), [3, 2, 1].map((index) => reference(`list ${index}`)));

  const records = [];
  for (let index = 0; index <= COUNT; index += 1) records.push(await succeeded(collection, reference(`list ${index}`)));
  const ids = records.map(({ token_id: id }) => id);

  const list = (parameters) => client.listMintRequests(parameters);
  const byReference = ({ reference_id: id }) => id;
  const requests = await allPages(list, of(collection), byReference, 3);
  const done = await allPages(list, { ...of(collection), status: 'succeeded' }, byReference, 4);
  for (const id of records.map(byReference)) {
    assert.ok(requests.map(byReference).includes(id) && done.map(byReference).includes(id), id);
  }
  assert.ok(done.every(({ status }) => status === 'succeeded'));
  const { result: failed } = await client.listMintRequests({ ...of(collection), status: 'failed' });
  assert.ok(failed.every(({ status }) => status === 'failed'));

  const byToken = ({ token_id: id, contract_address: contract }) => `${contract}/${id}`;
  const nfts = await allPages((some) => client.listNFTs(some), of(collection), byToken, 3);
  for (const id of ids) assert.ok(nfts.some(({ token_id: known }) => known === id), id);
  const { result: two } = await client.listNFTs({ ...of(collection), tokenId: ids.slice(0, 2) });
  assert.deepEqual(new Set(two.map(({ token_id: id }) => id)), new Set(ids.slice(0, 2)));
  const { result: none } = await client.listNFTs({ ...of(collection), fromUpdatedAt: '2099-01-01T00:00:00.000000Z' });
  assert.deepEqual(none, []);
  const { result: since } = await client.listNFTs({ ...of(collection), fromUpdatedAt: started });
  assert.ok(since.length >= ids.length);
  const all = await allPages((some) => client.listAllNFTs(some), { chainName }, byToken, 50);
  assert.ok(all.length >= nfts.length);

  const held = await allPages((some) => client.listNFTsByAccountAddress(some), { chainName, accountAddress: owner }, byToken, 3);
  assert.deepEqual(new Set(held.map(({ token_id: id }) => id)), new Set(ids));
  assert.ok(held.every(({ balance }) => balance === (isAmounts ? '2' : '1')));
  const narrowed = await client.listNFTsByAccountAddress({
    chainName, accountAddress: owner.toUpperCase().replace('0X', '0x'), contractAddress: collection.address, tokenId: [ids[0]],
  });
  assert.deepEqual(narrowed.result.map(({ token_id: id }) => id), [ids[0]]);
  assert.deepEqual((await client.listNFTsByAccountAddress({ chainName, accountAddress: player() })).result, []);

  const byOwner = ({ token_id: id, account_address: account, contract_address: contract }) => `${contract}/${id}/${account}`;
  const owners = await allPages((some) => client.listNFTOwnersByContractAddress(some), of(collection), byOwner, 3);
  const mine = await client.listNFTOwnersByContractAddress({ ...of(collection), accountAddress: [owner] });
  assert.equal(mine.result.length, ids.length);
  assert.ok(mine.result.every((row) => owners.some((known) => byOwner(known) === byOwner(row)) && row.updated_at));
  assert.ok((await allPages((some) => client.listAllNFTOwners(some), { chainName }, byOwner, 60)).length >= owners.length);

  const { result: known } = await client.listCollections({ chainName, contractAddress: [collection.address] });
  assert.equal(known.length, 1);
  const { result: single } = await client.getCollection(of(collection));
  assert.deepEqual(single, known[0]);
  for (const name of ['chain', 'name', 'symbol', 'contract_type', 'contract_address', 'description', 'image', 'external_link',
    'base_uri', 'verification_status', 'indexed_at', 'updated_at', 'metadata_synced_at']) {
    assert.ok(name in single, name);
  }
  assert.equal(single.contract_type, collection.contractType);
  const { result: verified } = await client.listCollections({ chainName, verificationStatus: ['verified', 'spam'] });
  assert.ok(verified.every(({ verification_status: status }) => ['verified', 'spam'].includes(status)));
  const { result: ofOwner } = await client.listCollectionsByNFTOwner({ chainName, accountAddress: owner });
  assert.deepEqual(ofOwner.map(({ contract_address: address }) => address), [collection.address.toLowerCase()]);

  const byId = ({ id }) => id;
  const activities = await allPages(
    (some) => client.listActivities(some), { chainName, contractAddress: collection.address, activityType: 'mint' }, byId, 4,
  );
  assert.ok(activities.length >= ids.length && activities.every(({ type }) => type === 'mint'));
  for (const { activity_id: id } of records) assert.ok(activities.some((one) => one.id === id), id);
  const ofToken = await client.listActivities({ chainName, contractAddress: collection.address, tokenId: ids[0] });
  assert.ok(ofToken.result.length >= 1);
  assert.ok(ofToken.result.every(({ details }) => details.asset.token_id === ids[0]));
  const ofAccount = await client.listActivities({ chainName, accountAddress: owner });
  assert.equal(ofAccount.result.length, ids.length);
  assert.deepEqual((await client.listActivities({ chainName, activityType: 'sale' })).result, []);
  const history = await allPages(
    (some) => client.listActivityHistory(some), { chainName, fromUpdatedAt: started, contractAddress: collection.address }, byId, 5,
  );
  assert.ok(history.length >= ids.length);

  const stacks = await allPages((some) => client.listNFTMetadataByContractAddress(some), of(collection), byId, 3);
  const stack = stacks.find(({ name }) => name === 'Listed 3');
  assert.deepEqual((await client.getMetadata({ ...of(collection), metadataId: stack.id })).result, stack);
  const ofChain = await allPages((some) => client.listNFTMetadataByChain(some), { chainName, fromUpdatedAt: started }, byId, 20);
  assert.ok(ofChain.some(({ id }) => id === stack.id));
  const recent = await client.listNFTMetadataByContractAddress({ ...of(collection), fromUpdatedAt: started });
  assert.ok(recent.result.some(({ id }) => id === stack.id) && recent.result.length < stacks.length + 1);
  console.log(`${collection.contractType} ${collection.ways}: lists walked`);
}

const { result: chains } = await client.listChains({});
assert.equal(chains.length, 1);
assert.equal(chains[0].name, chainName);
assert.equal(chains[0].id, stage.chainId);
assert.match(chains[0].minter_address, /^0x[0-9a-f]{40}$/);
const { status, headers } = await generated().chains.listChains({});
assert.equal(status, 200);
assert.ok(headers['x-trace-id'] && headers['x-ratelimit-limit'], JSON.stringify(headers));
