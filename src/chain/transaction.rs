use ethers_core::types::transaction::eip1559::Eip1559TransactionRequest;
use ethers_core::types::transaction::eip2718::TypedTransaction;
use ethers_core::types::{Bytes, H160, NameOrAddress, Signature, U256};
use ethers_core::utils::rlp::Rlp;

use super::model::{Signed, Transaction};
use crate::types::{Address, Amount, Hash32, keccak256};

/// EIP-2718: the byte in front of a transaction of EIP-1559.
const TYPE: u8 = 2;

impl Transaction {
    /// What is signed: keccak256 of the type and the RLP list of the nine fields (EIP-1559).
    pub(super) fn signing_hash(&self) -> Hash32 {
        Hash32::from_bytes(TypedTransaction::Eip1559(self.to_ethers()).sighash().0)
    }

    /// `signature.v` is the parity of y, 0 or 1.
    pub(super) fn with_signature(&self, signature: &Signature) -> Signed {
        let fields = self.to_ethers().rlp_signed(signature);
        let raw = [&[TYPE], fields.as_ref()].concat();
        let hash = keccak256(&raw);
        Signed { raw, hash }
    }

    /// The most that this transaction can cost its sender, in wei. None beyond 256 bits.
    pub fn cost_max(&self) -> Option<Amount> {
        let gas = Amount::from_u128(self.fees.max.checked_mul(self.gas_limit.into())?);
        gas.checked_add(self.value)
    }

    fn to_ethers(&self) -> Eip1559TransactionRequest {
        Eip1559TransactionRequest {
            from: None,
            to: self.to.map(|to| NameOrAddress::Address(H160(*to.as_bytes()))),
            gas: Some(self.gas_limit.into()),
            value: Some(U256::from_big_endian(&self.value.to_be_bytes())),
            data: Some(Bytes::from(self.data.clone())),
            nonce: Some(self.nonce.into()),
            access_list: Default::default(),
            max_priority_fee_per_gas: Some(self.fees.priority.into()),
            max_fee_per_gas: Some(self.fees.max.into()),
            chain_id: Some(self.chain_id.into()),
        }
    }
}

/// What somebody else signed: it must be this transaction and nothing more, signed by `signer`, in the one canonical
/// encoding, so that its hash is the one by which it will be found.
pub(super) fn require_signed(asked: &Transaction, signer: &Address, raw: Vec<u8>) -> Result<Signed, String> {
    let Some((&TYPE, fields)) = raw.split_first() else {
        return Err("a transaction that is not of type 2 (EIP-1559)".to_owned());
    };
    let (found, signature) = Eip1559TransactionRequest::decode_signed_rlp(&Rlp::new(fields))
        .map_err(|error| format!("what cannot be decoded: {error}"))?;
    if signature.v > 1 {
        return Err("a signature whose parity is neither 0 nor 1".to_owned());
    }
    let signed = asked.with_signature(&signature);
    if signed.raw != raw {
        return Err("another transaction than it was asked to sign".to_owned());
    }
    match found.from {
        Some(H160(bytes)) if Address::from_bytes(bytes) == *signer => Ok(signed),
        _ => Err(format!("a signature that is not of {signer}")),
    }
}
