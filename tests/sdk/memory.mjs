// A store for @imtbl/minting-backend that needs no database: the interface of its persistence adapters, in memory.

export function memory() {
  const rows = new Map();
  const each = (ids, change) => ids.forEach((id) => rows.has(id) && change(rows.get(id)));
  return {
    rows,
    async recordMint(request) {
      if (rows.has(request.asset_id)) throw new Error('recorded already');
      rows.set(request.asset_id, { ...request, id: request.asset_id, wallet_address: request.owner_address, tried_count: 0, status: null });
    },
    async getNextBatchForSubmission(limit) {
      const open = [...rows.values()].filter(({ status }) => status === null).slice(0, limit);
      open.forEach((row) => { row.status = 'submitting'; });
      return open.map((row) => ({ ...row }));
    },
    async updateMintingStatusToSubmitted(ids) {
      each(ids, (row) => { row.status = 'submitted'; });
    },
    async updateMintingStatusToSubmissionFailed(ids) {
      each(ids, (row) => { row.status = 'submission_failed'; });
    },
    async syncMintingStatus(minted) {
      const known = rows.get(minted.assetId) ?? { id: minted.assetId, asset_id: minted.assetId };
      rows.set(minted.assetId, { ...known, status: minted.status, synced: minted });
    },
    async markAsConflict(assetIds) {
      each(assetIds, (row) => { row.status = 'conflicting'; });
    },
    async resetMintingStatus(ids) {
      each(ids, (row) => { row.status = null; });
    },
    async markForRetry(ids) {
      each(ids, (row) => { row.status = null; row.tried_count += 1; });
    },
    async getMintingRequest(contractAddress, referenceId) {
      const row = rows.get(referenceId);
      return row && row.contract_address?.toLowerCase() === contractAddress.toLowerCase() ? { ...row } : null;
    },
  };
}
