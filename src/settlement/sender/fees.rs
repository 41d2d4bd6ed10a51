use crate::chain::Fees;

/// Both caps at least one eighth higher, by the fresh suggestion when that is more, never above the ceiling (rule 10).
/// None when the ceiling leaves no room for the eighth: nodes refuse less than a tenth more on either cap.
pub(super) fn bumped(previous: Fees, suggested: Fees, ceiling: u128) -> Option<Fees> {
    let floor = Fees {
        max: raised(previous.max)?,
        priority: raised(previous.priority)?,
    };
    if floor.max > ceiling {
        return None;
    }
    let max = floor.max.max(suggested.max).min(ceiling);
    let priority = floor.priority.max(suggested.priority).min(max);
    Some(Fees { max, priority })
}

/// What a first attempt offers.
pub(super) fn first(suggested: Fees, ceiling: u128) -> Fees {
    let max = suggested.max.min(ceiling);
    Fees {
        max,
        priority: suggested.priority.min(max),
    }
}

/// All that may be offered.
pub(super) fn most(previous: Fees, ceiling: u128) -> Fees {
    Fees {
        max: ceiling,
        priority: raised(previous.priority).unwrap_or(ceiling).min(ceiling),
    }
}

/// 12.5 % more, rounded up, and more in any case: nodes compare strictly.
fn raised(fee: u128) -> Option<u128> {
    fee.checked_add(fee.div_ceil(8).max(1))
}
