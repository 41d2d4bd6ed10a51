use super::model::Mark;

/// How long to wait: this many blocks but never less than `seconds_min`; after `seconds_max` in any case, because a chain
/// that mines on demand makes no block while it waits for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    pub blocks: u64,
    pub seconds_min: i64,
    pub seconds_max: i64,
}

impl Patience {
    pub(super) fn is_over(self, since: Mark, now: Mark) -> bool {
        let blocks = now.block.saturating_sub(since.block);
        let seconds = now.at.seconds().saturating_sub(since.at.seconds());
        (blocks >= self.blocks && seconds >= self.seconds_min) || seconds >= self.seconds_max
    }
}

/// What a chain's settings decide about sending; when something is final is the view's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The most a transaction may offer, in wei per gas (rule 10).
    pub fee_max: u128,
    /// Unmined nonces at one time (rule 9).
    pub in_flight_max: usize,
    /// The largest gas limit of one transaction; the funds must always suffice for one more of these (rule 18).
    pub gas_max: u64,
    /// Until the same bytes are sent again.
    pub rebroadcast: Patience,
    /// Until the lowest unmined nonce is offered more.
    pub bump: Patience,
    /// Until a nonce that nobody holds is filled.
    pub fill: Patience,
    /// Complete looks without a receipt before a passed nonce counts as taken (rule 7: more than one).
    pub missing_reads_min: u32,
    /// Final blocks since a nonce was passed before it counts as taken (rule 8): nodes answer late for receipts.
    pub missing_blocks: u64,
    /// Views in a row whose head lies behind before they are believed (rule 17): a chain may really become shorter, and
    /// no decision taken on an old view is wrong, only premature.
    pub stale_views_max: u32,
    /// Receipts of mined transactions to ask for in one view: as many as can become final at one look.
    pub mined_receipts_max: usize,
}

impl Policy {
    /// For public chains, where a block takes some seconds.
    pub const fn public(fee_max: u128, in_flight_max: usize, gas_max: u64) -> Self {
        Self {
            fee_max,
            in_flight_max,
            gas_max,
            rebroadcast: Patience {
                blocks: 3,
                seconds_min: 10,
                seconds_max: 120,
            },
            // No upper bound: while no block comes no fee helps.
            bump: Patience {
                blocks: 5,
                seconds_min: 45,
                seconds_max: i64::MAX,
            },
            fill: Patience {
                blocks: 2,
                seconds_min: 10,
                seconds_max: 60,
            },
            missing_reads_min: 3,
            missing_blocks: 6,
            stale_views_max: 20,
            mined_receipts_max: 64,
        }
    }

    /// For a node on this machine with a block every second or on demand.
    pub const fn local(fee_max: u128, in_flight_max: usize, gas_max: u64) -> Self {
        Self {
            rebroadcast: Patience {
                blocks: 2,
                seconds_min: 1,
                seconds_max: 3,
            },
            bump: Patience {
                blocks: 3,
                seconds_min: 2,
                seconds_max: i64::MAX,
            },
            fill: Patience {
                blocks: 1,
                seconds_min: 1,
                seconds_max: 3,
            },
            missing_blocks: 3,
            ..Self::public(fee_max, in_flight_max, gas_max)
        }
    }
}
