// What every script here begins with: the server that tests/sdk.rs started, and clients for it.
//
// JEST_WORKER_ID is set by whoever starts the scripts: without it the packages report to Immutable's own host.

import assert from 'node:assert/strict';

import { BlockchainData } from '@imtbl/blockchain-data';
import { mr } from '@imtbl/generated-clients';

assert.ok(process.env.JEST_WORKER_ID, 'JEST_WORKER_ID must be set before the packages are loaded');

/** @type {{ baseUrl: string, chainName: string, chainId: string, secret: string, otherSecret: string, publishable: string,
 *   rateLimitKey: string, foreign: string, environment: string, manager: { key: string, pin: string },
 *   collections: { address: string, contractType: string, ways: ('id' | 'quantity' | 'amounts')[] }[] }} */
export const stage = JSON.parse(process.env.STAGE);
export const { chainName } = stage;

/** The class that Immutable tells people to use: key, base URL and all through `overrides` (it takes no other way). */
export const client = clientWith(stage.secret);

export function clientWith(secret) {
  const baseConfig = { environment: 'sandbox', apiKey: secret, publishableKey: stage.publishable };
  return new BlockchainData({
    baseConfig,
    overrides: { basePath: stage.baseUrl, headers: { 'x-immutable-api-key': secret } },
  });
}

/** The generated clients below it: they tell status and headers, too. */
export function generated(secret = stage.secret) {
  const configuration = new mr.Configuration({ basePath: stage.baseUrl, apiKey: secret });
  return {
    activities: new mr.ActivitiesApi(configuration),
    chains: new mr.ChainsApi(configuration),
    collections: new mr.CollectionsApi(configuration),
    metadata: new mr.MetadataApi(configuration),
    nftOwners: new mr.NftOwnersApi(configuration),
    nfts: new mr.NftsApi(configuration),
  };
}

let made = 0;
const run = `${process.pid.toString(16)}${Date.now().toString(16)}`.padEnd(24, '0');

/** An address that nobody else has. */
export function player() {
  made += 1;
  return `0x${run}${made.toString(16).padStart(40 - run.length, '0')}`;
}

/** A name that no other script gives. */
export function reference(name) {
  return `${run}/${name}`;
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export async function until(what, ask, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
    await pause(150);
  }
}

export function of(collection) {
  return { chainName, contractAddress: collection.address };
}

export async function request(collection, referenceId) {
  const { result, page } = await client.getMintRequest({ ...of(collection), referenceId });
  assert.equal(result.length, 1);
  assert.deepEqual(page, { previous_cursor: null, next_cursor: null });
  return result[0];
}

/** The request once it has ended well. */
export async function succeeded(collection, referenceId) {
  const ended = await until(`${referenceId} to end`, async () => {
    const found = await request(collection, referenceId);
    return found.status === 'pending' ? null : found;
  });
  assert.equal(ended.status, 'succeeded', JSON.stringify(ended.error));
  return ended;
}

export function mint(collection, assets) {
  return client.createMintRequest({ ...of(collection), createMintRequestRequest: { assets } });
}

/** Every page of a list, with nothing twice and the way back as the way there. */
export async function allPages(list, parameters, keyOf, pageSize) {
  const pages = [];
  let pageCursor;
  do {
    const { result, page } = await list({ ...parameters, pageSize, pageCursor });
    assert.ok(result.length <= pageSize);
    assert.equal(page.previous_cursor === null, pages.length === 0);
    pages.push({ keys: result.map(keyOf), page, rows: result });
    pageCursor = page.next_cursor ?? undefined;
  } while (pageCursor);
  for (let index = pages.length - 1; index > 0; index -= 1) {
    const { result } = await list({ ...parameters, pageSize, pageCursor: pages[index].page.previous_cursor });
    assert.deepEqual(result.map(keyOf), pages[index - 1].keys);
  }
  const keys = pages.flatMap(({ keys: some }) => some);
  assert.equal(new Set(keys).size, keys.length, 'a row came twice');
  return pages.flatMap(({ rows }) => rows);
}

/** What a call is refused with, as the packages tell it. */
export async function refusal(call) {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: 'it was not refused' });
}

export { assert };
