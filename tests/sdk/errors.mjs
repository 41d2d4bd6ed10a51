// Refusals as the packages tell them, what the packages send by mistake, and what a browser asks first.

import { APIError } from '@imtbl/blockchain-data';

import { assert, client, clientWith, generated, mint, of, player, reference, refusal, stage } from './stage.mjs';

const [collection] = stage.collections;
const { chainName } = stage;
const anyone = (name, more = {}) => ({
  reference_id: reference(name),
  owner_address: player(),
  token_id: collection.ways.includes('quantity') ? null : `${2000 + Math.floor(Math.random() * 1e9)}`,
  amount: collection.ways.includes('amounts') ? '1' : null,
  ...more,
});

async function expect(code, call, about) {
  const error = await refusal(call);
  assert.ok(error instanceof APIError, `${about}: ${error.stack}`);
  assert.equal(error.code, code, `${about}: ${error.message}`);
  assert.ok(error.message.length > 0);
  assert.match(error.traceId, /^[0-9a-f]{32}$/);
  assert.equal(typeof error.link, 'string');
  return error;
}

// --- codes ----------------------------------------------------------------------------------------------------------

const first = anyone('conflict');
await mint(collection, [first]);
const conflict = await expect('CONFLICT_ERROR', () => mint(collection, [anyone('other'), { ...anyone('x'), reference_id: first.reference_id }]), 'a used reference');
assert.deepEqual(conflict.details, { id: 'reference_id', values: [first.reference_id] });
await expect('RESOURCE_NOT_FOUND', () => client.getMintRequest({ ...of(collection), referenceId: reference('other') }), 'nothing of a refused request');

const twice = anyone('twice');
const invalid = await expect('VALIDATION_ERROR', () => mint(collection, [twice, { ...anyone('y'), reference_id: twice.reference_id }]), 'twice in one request');
assert.ok(invalid.details.issues.length > 0);
const many = Array.from({ length: 101 }, (_, index) => anyone(`many ${index}`));
await expect('VALIDATION_ERROR', () => mint(collection, many), 'more than a hundred');
await expect('VALIDATION_ERROR', () => mint(collection, []), 'none');
await expect('VALIDATION_ERROR', () => mint(collection, [anyone('bad', { owner_address: '0x12' })]), 'no address');
await expect('VALIDATION_ERROR', () => client.listNFTs({ ...of(collection), pageSize: 201 }), 'too large a page');
await expect('VALIDATION_ERROR', () => client.listNFTs({ ...of(collection), pageCursor: 'nonsense' }), 'no cursor');
await expect('VALIDATION_ERROR', () => client.listNFTs({ ...of(collection), tokenId: Array(31).fill('1') }), 'too many ids');
await expect('UNAUTHORISED_REQUEST', () => clientWith('sk_imapik_test-nonsense').createMintRequest({ ...of(collection), createMintRequestRequest: { assets: [anyone('z')] } }), 'a wrong key');
await expect('AUTHENTICATION_ERROR', () => clientWith(stage.otherSecret).listMintRequests(of(collection)), 'a key of another project');
await expect('RESOURCE_NOT_FOUND', () => client.getCollection({ chainName, contractAddress: stage.foreign }), 'no such collection');
await expect('RESOURCE_NOT_FOUND', () => client.getCollection({ chainName: 'mars', contractAddress: collection.address }), 'no such chain');
await expect('RESOURCE_NOT_FOUND', () => client.getNFT({ ...of(collection), tokenId: '123456789' }), 'no such token');
await expect('RESOURCE_NOT_FOUND', () => client.refreshNFTMetadata({ ...of(collection), refreshNFTMetadataByTokenIDRequest: { nft_metadata: [{ token_id: '123456789', name: 'x' }] } }), 'nothing to refresh');

const bare = await refusal(() => generated().nfts.createMintRequest({ ...of(collection), createMintRequestRequest: { assets: [] } }));
assert.equal(bare.response.status, 400);
assert.deepEqual(Object.keys(bare.response.data).sort(), ['code', 'details', 'link', 'message', 'trace_id']);
assert.equal(bare.response.headers['x-trace-id'], bare.response.data.trace_id);

// --- odd references -------------------------------------------------------------------------------------------------

const odd = anyone('odd', { reference_id: reference('a b/c:d?é&#%') });
await mint(collection, [odd]);
const { result: [found] } = await client.getMintRequest({ ...of(collection), referenceId: odd.reference_id });
assert.equal(found.reference_id, odd.reference_id);

// --- headers --------------------------------------------------------------------------------------------------------

// The class sends its options as headers; here by hand, with a publishable and a rate-limit key.
const stray = {
  basePath: stage.baseUrl,
  headers: '[object Object]',
  baseConfig: '[object Object]',
  sdkVersion: 'ts-immutable-sdk-multi-rollup-api-client-2.24.8',
  'x-sdk-version': 'ts-immutable-sdk-multi-rollup-api-client-2.24.8',
  'x-immutable-publishable-key': stage.publishable,
  'x-api-key': stage.rateLimitKey,
};
const answered = await fetch(`${stage.baseUrl}/v1/chains`, { headers: stray });
assert.equal(answered.status, 200);
assert.equal(answered.headers.get('x-ratelimit-limit').split(',')[0], '1000');
const refused = await fetch(`${stage.baseUrl}/v1/chains`, { headers: { ...stray, 'x-api-key': 'nonsense' } });
assert.equal(refused.status, 403);
assert.equal((await refused.json()).code, 'AUTHENTICATION_ERROR');

const preflight = await fetch(`${stage.baseUrl}/v1/chains/${chainName}/collections/${collection.address}/nfts/mint-requests`, {
  method: 'OPTIONS',
  headers: {
    origin: 'https://game.example',
    'access-control-request-method': 'POST',
    'access-control-request-headers': Object.keys(stray).concat('content-type', 'x-immutable-api-key').join(',').toLowerCase(),
  },
});
assert.ok(preflight.ok);
assert.equal(preflight.headers.get('access-control-allow-origin'), '*');
const allowed = preflight.headers.get('access-control-allow-headers').toLowerCase().split(/, */);
for (const name of Object.keys(stray).concat('content-type', 'x-immutable-api-key')) {
  assert.ok(allowed.includes(name.toLowerCase()), name);
}
console.log('refusals, headers and preflight as they should be');
