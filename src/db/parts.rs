//! Rows by a long list of keys, on SQLite: a statement has at most 32,766 parameters there.

use diesel::QueryResult;

/// Keys of one statement: room is left for what else it binds, also where a key has two parts.
const KEYS_MAX: usize = 16_000;

/// The rows of all parts of a list of keys, each key asked for once. Rows come in no order.
pub fn in_parts<K: Ord + Clone, T>(keys: &[K], load: impl FnMut(&[K]) -> QueryResult<Vec<T>>) -> QueryResult<Vec<T>> {
    in_parts_of(KEYS_MAX, keys, load)
}

/// As [`in_parts`], of at most so many keys.
pub fn in_parts_of<K: Ord + Clone, T>(
    max: usize,
    keys: &[K],
    mut load: impl FnMut(&[K]) -> QueryResult<Vec<T>>,
) -> QueryResult<Vec<T>> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    let mut rows = Vec::new();
    for part in keys.chunks(max.max(1)) {
        rows.append(&mut load(part)?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_asked_for_once_in_parts_that_a_statement_can_have() {
        let last = u64::try_from(KEYS_MAX).unwrap();
        for (count, parts) in [(0, 0), (1, 1), (last, 1), (last + 1, 2)] {
            let mut keys: Vec<u64> = (0..count).collect();
            keys.extend(0..count.min(2));
            let mut asked = 0;

            let found = in_parts(&keys, |part| {
                asked += 1;
                assert!(part.len() <= KEYS_MAX);
                Ok(part.to_vec())
            });

            assert_eq!((found.unwrap(), asked), ((0..count).collect(), parts));
        }
    }
}
