// Refreshes by token, by stack and of the collection replace the whole, and `metadata_synced_at` moves.

import { assert, client, generated, mint, of, player, reference, stage, succeeded } from './stage.mjs';

for (const collection of stage.collections) {
  const isAmounts = collection.ways.includes('amounts');
  const wish = (index) => ({
    reference_id: reference(`refresh ${index}`),
    owner_address: player(),
    token_id: collection.ways.includes('quantity') ? null : `${500 + index}`,
    amount: isAmounts ? '1' : null,
    metadata: { name: 'Sword', image: 'https://example.test/sword.png', attributes: [{ trait_type: 'edge', value: 'sharp' }] },
  });
  await mint(collection, [wish(0), wish(1), wish(2)]);
  const ids = [];
  for (const index of [0, 1, 2]) ids.push((await succeeded(collection, reference(`refresh ${index}`))).token_id);
  const nft = async (id) => (await client.getNFT({ ...of(collection), tokenId: id })).result;
  const before = await Promise.all(ids.map(nft));
  assert.equal(new Set(before.map(({ metadata_id: id }) => id)).size, 1, 'tokens that show the same share a stack');

  const answer = await client.refreshNFTMetadata({
    ...of(collection),
    refreshNFTMetadataByTokenIDRequest: {
      nft_metadata: [{
        token_id: ids[0], name: 'Broken sword', description: null, image: null, external_url: null, animation_url: null,
        youtube_url: null, attributes: [],
      }],
    },
  });
  for (const name of ['imx_refreshes_limit', 'imx_refresh_limit_reset', 'imx_remaining_refreshes', 'retry_after']) {
    assert.equal(typeof answer[name], 'string', name);
  }
  const broken = await nft(ids[0]);
  assert.deepEqual([broken.name, broken.image, broken.attributes], ['Broken sword', null, []]);
  assert.ok(broken.metadata_synced_at > before[0].metadata_synced_at);
  const other = await nft(ids[1]);
  assert.deepEqual([other.name, other.metadata_synced_at], ['Sword', before[1].metadata_synced_at]);

  // The guide's own sample leaves fields out.
  await client.refreshStackedMetadata({
    ...of(collection),
    refreshMetadataByIDRequest: { metadata: [{ metadata_id: other.metadata_id, name: 'Excalibur' }] },
  });
  for (const id of ids.slice(1)) {
    const token = await nft(id);
    assert.deepEqual([token.name, token.image], ['Excalibur', null]);
    assert.ok(token.metadata_synced_at > before[1].metadata_synced_at);
  }
  assert.equal((await nft(ids[0])).name, 'Broken sword');

  const { result: was } = await client.getCollection(of(collection));
  const refreshed = await client.refreshCollectionMetadata({
    ...of(collection),
    refreshCollectionMetadataRequest: {
      collection_metadata: {
        name: 'Blades', symbol: was.symbol, description: 'All of them', image: null, external_link: null,
        contract_uri: null, base_uri: was.base_uri,
      },
    },
  });
  assert.equal(refreshed.collection_metadata.name, 'Blades');
  const { result: is } = await client.getCollection(of(collection));
  assert.deepEqual([is.name, is.description, is.base_uri], ['Blades', 'All of them', was.base_uri]);
  assert.ok(is.metadata_synced_at > was.metadata_synced_at);

  const { status, headers } = await generated().metadata.refreshNFTMetadataByTokenID({
    ...of(collection), refreshNFTMetadataByTokenIDRequest: { nft_metadata: [{ token_id: ids[2], name: 'Last' }] },
  });
  assert.equal(status, 202);
  assert.equal(headers['imx-remaining-refreshes'], headers.imx_remaining_refreshes);
  console.log(`${collection.contractType} ${collection.ways}: refreshed`);
}
