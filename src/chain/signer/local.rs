use ethers_core::types::H256;
use ethers_signers::{LocalWallet, Signer as _};

use super::super::failure::Failure;
use super::super::model::{Signed, Transaction};
use crate::types::Address;

/// A key in this process. The library's type overwrites it with zeros when it is dropped.
pub struct Local(LocalWallet);

impl Local {
    pub fn from_key(key: &[u8; 32]) -> Result<Self, Failure> {
        let wallet = LocalWallet::from_bytes(key);
        wallet
            .map(Self)
            .map_err(|_| Failure::Signer("the key is not on the curve".to_owned()))
    }

    pub(super) fn new(wallet: LocalWallet) -> Self {
        Self(wallet)
    }

    pub fn address(&self) -> Address {
        Address::from_bytes(self.0.address().0)
    }

    /// Deterministic (RFC 6979): the same transaction has the same bytes, and so the same hash, every time.
    pub fn sign(&self, transaction: &Transaction) -> Result<Signed, Failure> {
        let hash = H256(*transaction.signing_hash().as_bytes());
        let signature = self.0.sign_hash(hash);
        let mut signature = signature.map_err(|error| Failure::Signer(error.to_string()))?;
        // The library adds the 27 of times before EIP-155; EIP-1559 has the parity itself.
        signature.v = signature.v.saturating_sub(27);
        Ok(transaction.with_signature(&signature))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::transaction::require_signed;
    use super::*;
    use crate::chain::{Fees, Signer};
    use crate::types::Amount;

    fn local() -> Local {
        let mut key = [0; 32];
        key[31] = 1;
        Local::from_key(&key).unwrap()
    }

    fn transaction() -> Transaction {
        Transaction {
            chain_id: 31_337,
            nonce: 7,
            to: Some(Address::from_bytes([5; 20])),
            value: Amount::from(3),
            data: vec![1, 2, 3],
            gas_limit: 100_000,
            fees: Fees { max: 30, priority: 2 },
        }
    }

    #[test]
    fn the_same_transaction_has_the_same_bytes_every_time() {
        let first = local().sign(&transaction()).unwrap();
        let second = local().sign(&transaction()).unwrap();

        assert_eq!(first, second);
        assert_eq!(first.hash, crate::types::keccak256(&first.raw));
    }

    #[test]
    fn every_field_is_part_of_what_is_signed() {
        let signed = local().sign(&transaction()).unwrap();
        let changes: [fn(&mut Transaction); 8] = [
            |t| t.chain_id += 1,
            |t| t.nonce += 1,
            |t| t.to = None,
            |t| t.value = Amount::from(4),
            |t| t.data.push(0),
            |t| t.gas_limit += 1,
            |t| t.fees.max += 1,
            |t| t.fees.priority += 1,
        ];

        for change in changes {
            let mut other = transaction();
            change(&mut other);
            let refused = require_signed(&other, &local().address(), signed.raw.clone());
            assert!(refused.is_err(), "{other:?}");
            assert_ne!(local().sign(&other).unwrap().hash, signed.hash);
        }
    }

    #[test]
    fn a_signature_of_ours_is_taken_and_one_of_somebody_else_is_not() {
        let signed = local().sign(&transaction()).unwrap();
        let somebody = Local::from_key(&[9; 32]).unwrap();
        let theirs = somebody.sign(&transaction()).unwrap();

        let taken = require_signed(&transaction(), &local().address(), signed.raw.clone());

        assert_eq!(taken, Ok(signed));
        assert!(require_signed(&transaction(), &local().address(), theirs.raw).is_err());
    }

    #[test]
    fn bytes_that_are_not_exactly_a_transaction_are_refused() {
        let signed = local().sign(&transaction()).unwrap();
        let mut longer = signed.raw.clone();
        longer.push(0);
        let mut legacy = signed.raw.clone();
        legacy[0] = 1;

        for raw in [
            Vec::new(),
            vec![2],
            longer,
            legacy,
            signed.raw[..signed.raw.len() - 1].to_vec(),
        ] {
            assert!(require_signed(&transaction(), &local().address(), raw).is_err());
        }
    }

    /// Nine fields, then parity, r and s (EIP-1559, "Specification"). That nodes take it is tests/chain.rs's to show.
    #[test]
    fn the_encoding_begins_with_the_type_and_holds_nine_fields_and_a_signature() {
        let signed = local().sign(&transaction()).unwrap();

        assert_eq!(signed.raw[0], 2);
        let list = ethers_core::utils::rlp::Rlp::new(&signed.raw[1..]);
        assert_eq!(list.item_count(), Ok(12));
        assert_eq!(list.val_at::<u64>(0), Ok(31_337));
        assert_eq!(list.val_at::<u64>(1), Ok(7));
    }

    #[test]
    fn the_most_it_can_cost_is_gas_times_fee_and_the_value() {
        let mut transaction = transaction();
        assert_eq!(transaction.cost_max(), Some(Amount::from(3_000_003)));

        transaction.value = Amount::MAX;
        assert_eq!(transaction.cost_max(), None);
    }

    #[test]
    fn a_key_never_prints() {
        let signer = Signer::Local(local());

        assert_eq!(
            format!("{signer:?}"),
            "Signer(0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf)"
        );
    }

    #[test]
    fn zero_is_no_key() {
        assert!(Local::from_key(&[0; 32]).is_err());
    }
}
